"""`kubectl phalanx drain`: take workers away one after the other, as the PodDisruptionBudget allows, and wait."""

from __future__ import annotations

import click

from phalanx_cli.cluster.access import Place, Where, kube_options, with_cluster
from phalanx_cli.cluster.names import name_of


@click.command()
@click.argument("target", metavar="pool/NAME|NODE")
@click.option("--worker", metavar="POD", help="The worker of pool/NAME to replace.")
@click.option("--timeout", "timeout_s", default=600, show_default=True, type=click.IntRange(1), help="Seconds to wait.")
@click.option("--dry-run", is_flag=True, help="Say which workers would go, and change nothing.")
@kube_options(everywhere=False)
def drain(target: str, worker: str | None, timeout_s: int, dry_run: bool, where: Where) -> None:
    """Replace a worker of a pool, or move all workers off a node, without losing a request.

    Workers are evicted, never deleted: each finishes its requests, and the PodDisruptionBudget lets one of a pool go
    at a time. A node is cordoned first, and stays so; its other pods are left alone (kubectl drain takes those).
    Stopping this command stops waiting, and undoes nothing.
    """
    from phalanx_cli.plugin.eviction import Drain, drain_node, drain_worker

    async def work(place: Place) -> None:
        job = Drain(place.api, say=click.echo, timeout_s=timeout_s, dry_run=dry_run)
        if "/" not in target and worker is None:
            await drain_node(job, target)
            return
        if worker is None:
            raise click.UsageError(
                f"which worker of {target}? Name it with --worker POD (kubectl get pods has the names)"
            )
        await drain_worker(job, place.namespace or "default", name_of(target, "ServingPool"), worker)

    with_cluster(where, work)
