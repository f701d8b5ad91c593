"""`phalanx import`: thin; the work is in phalanx_grid."""

from __future__ import annotations

from pathlib import Path

import click

from phalanx_cli.training import leave_cleanly


@click.command()
@click.option("--checkpoint", required=True, metavar="NAME|DIR", help="minilm, mpnet, or a checkpoint's folder.")
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The artifact's folder; new or empty."
)
@click.option("--force", is_flag=True, help="Replace another artifact that --out holds.")
def command(checkpoint: str, out: Path, force: bool) -> None:
    """Turn a BERT or MPNet checkpoint (safetensors) into an artifact with one student.

    A plain encoder answers with embeddings, a sequence classifier with its own labels.
    """
    with leave_cleanly() as console:
        from phalanx_distill.importing import import_encoder
        from phalanx_distill.sources import find_checkpoint

        digest = import_encoder(find_checkpoint(checkpoint), out=out, force=force)
        console.print(f"{out}  {digest}", soft_wrap=True, highlight=False, markup=False)
