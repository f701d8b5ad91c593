"""`phalanx inspect`: thin; the work is in phalanx_grid and phalanx_distill.report."""

from __future__ import annotations

from pathlib import Path

import click

from phalanx_cli.training import leave_cleanly


@click.command()
@click.argument("artifact", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--digest", metavar="sha256:...", help="Refuse any other artifact than this one.")
@click.option(
    "--report",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page of the run that made it, from the report.json beside it.",
)
def command(artifact: Path, digest: str | None, page: Path | None) -> None:
    """Show what an artifact holds and check every byte of it."""
    with leave_cleanly() as console:
        from phalanx_distill.report.artifact import description
        from phalanx_distill.report.document import report_of
        from phalanx_distill.report.write import write_page
        from phalanx_grid import verify_artifact

        manifest, found = verify_artifact(artifact, digest)
        console.print(f"{artifact}  {found}", soft_wrap=True, highlight=False, markup=False)
        console.print(description(manifest))
        if page is not None:
            write_page(page, report_of(artifact, found))
            console.print(f"report: {page}", soft_wrap=True, highlight=False, markup=False)
