"""`phalanx import`: a checkpoint as a grid of one student."""

from __future__ import annotations

from pathlib import Path

from phalanx_distill import provenance
from phalanx_distill.output import check_output
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.sources import Checkpoint
from phalanx_distill.stages import fingerprint
from phalanx_grid import import_checkpoint, save_artifact


def import_encoder(checkpoint: Checkpoint, *, out: Path, force: bool = False) -> str:
    """Write the artifact and return its digest; the same checkpoint gives the same digest.

    Raises:
        OutputError: the output folder holds something else.
        GridError: the checkpoint cannot become a grid.
    """
    mark = fingerprint(
        algorithm=ALGORITHM, kind="import", weights=checkpoint.sha256, configuration=checkpoint.configuration
    )
    check_output(out, mark, force=force)
    grid, tokenizer = import_checkpoint(checkpoint.folder)
    source = {"name": checkpoint.name, "sha256": checkpoint.sha256}
    return save_artifact(out, grid, tokenizer, provenance=provenance.of(mark, checkpoint=source))
