"""`phalanx inspect`: thin; the work is in phalanx_grid and phalanx_distill.report."""

from __future__ import annotations

from pathlib import Path

import click

from phalanx_cli.training import leave_cleanly


@click.command()
@click.argument("artifact", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--digest", metavar="sha256:...", help="Refuse any other artifact than this one.")
def command(artifact: Path, digest: str | None) -> None:
    """Show what an artifact holds and check every byte of it."""
    with leave_cleanly() as console:
        from phalanx_distill.report.artifact import description
        from phalanx_grid import verify_artifact

        manifest, found = verify_artifact(artifact, digest)
        console.print(f"{artifact}  {found}", soft_wrap=True, highlight=False)
        console.print(description(manifest))
