"""`kubectl phalanx`: what the statuses say, in words; and workers taken away gently."""

from __future__ import annotations

import click

from phalanx_cli.cluster.access import Where, kube_options, with_cluster
from phalanx_cli.cluster.names import name_of, only
from phalanx_cli.plugin.drain import drain


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="phalanx")
def main() -> None:
    """Look at Phalanx in a cluster. --namespace, --context and --kubeconfig are kubectl's; they follow the command."""


@main.command()
@kube_options(everywhere=True)
@click.option("--all", "every", is_flag=True, help="List all TenantAdapters that are well, too.")
def status(where: Where, every: bool) -> None:
    """Pools, ensembles and adapters in one table, problems first. Ends with 1 if something is not served."""
    from phalanx_cli.cluster.read import snapshot
    from phalanx_cli.cluster.show import show
    from phalanx_operator.describe.overview import Health, entries, overview

    seen = with_cluster(where, snapshot)
    show(overview(seen, namespaces=where.everywhere, every=every))
    if any(entry.health is Health.BROKEN for entry in entries(seen)):
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("ensemble", metavar="ens/NAME")
@kube_options(everywhere=False)
def explain(ensemble: str, where: Where) -> None:
    """Say why an ensemble answers with this many students: decisions, numbers, bounds, conditions and next steps."""
    from phalanx_cli.cluster.read import snapshot
    from phalanx_cli.cluster.show import show
    from phalanx_operator.describe.ensemble import explain as explained

    name = name_of(ensemble, "StudentEnsemble")
    seen = with_cluster(where, snapshot)
    found = only(seen.ensembles, name, "StudentEnsemble")
    show(explained(found, seen.pool_of(found), now=seen.now))


@main.command()
@click.argument("pool", metavar="pool/NAME")
@kube_options(everywhere=False)
def recommend(pool: str, where: Where) -> None:
    """Say what the operator would do with a pool: what it recommends, or what is in force and what would change it."""
    from phalanx_cli.cluster.read import snapshot
    from phalanx_cli.cluster.show import show
    from phalanx_operator.describe.recommend import recommend as recommended

    name = name_of(pool, "ServingPool")
    seen = with_cluster(where, snapshot)
    found = only(seen.pools, name, "ServingPool")
    show(recommended(found, seen.ensembles_of(found), now=seen.now))


main.add_command(drain)


def run() -> None:
    """The executable."""
    main(prog_name="kubectl phalanx")
