"""`phalanx adapt`: thin; the work is in phalanx_distill."""

from __future__ import annotations

from pathlib import Path

import click

from phalanx_cli.training import data_options, leave_cleanly, merged, prepare_threads, run_options
from phalanx_contract.limits import ADAPTER_RANK


@click.command(context_settings={"show_default": True})
@click.option(
    "--base",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The ensemble's artifact that the adapter will be served on.",
)
@data_options
@click.option(
    "--rank",
    type=click.IntRange(1, 256),
    help=f"Rank of each update; workers take {ADAPTER_RANK} at most by default.  [default: 8]",
)
@run_options
def command(
    base: Path,
    data: str,
    text_column: str,
    label_column: str,
    rank: int | None,
    out: Path,
    seed: int | None,
    device: str,
    precision: str,
    settings_file: Path | None,
    settings: tuple[str, ...],
    force: bool,
    keep_work: bool,
) -> None:
    """Train a tenant's adapter, with labels of its own, on top of an ensemble's artifact.

    The base stays as it is. An interrupted run goes on where it stopped when the same command is given again.
    """
    if out.resolve() == base.resolve():
        raise click.UsageError(f"--out {out}: is the base, which the adapter cannot do without; choose another folder")
    prepare_threads()
    with leave_cleanly() as console:
        from phalanx_distill.adapting import adapt
        from phalanx_distill.compute import Compute
        from phalanx_distill.config import AdaptSettings, parse_settings
        from phalanx_distill.progress import reporter
        from phalanx_distill.report.table import summary
        from phalanx_distill.sources import find_rows

        parsed = parse_settings(AdaptSettings, merged(settings, {"seed": seed, "rank": rank}, settings_file))
        _warn_of_rank(parsed.rank)
        report = adapt(
            base,
            find_rows(data, text_column=text_column, label_column=label_column),
            parsed,
            out=out,
            compute=Compute.of(device, precision),
            report=reporter(console),
            force=force,
            keep_work=keep_work,
        )
        console.print(summary(report))
        console.print(f"{out}  {report.digest}", soft_wrap=True, highlight=False, markup=False)


def _warn_of_rank(rank: int) -> None:
    """Training takes minutes: what workers would refuse is said before it begins."""
    if rank > ADAPTER_RANK:
        click.echo(
            f"Warning: workers refuse rank {rank} unless PHALANX_WORKER_ADAPTER_RANK is set to {rank} or more in "
            f"spec.worker.env of their pool; they have room for --rank {ADAPTER_RANK}",
            err=True,
        )
