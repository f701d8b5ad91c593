"""`python -m bench.serving.recorded FILE ARGUMENT...`: `phalanx ARGUMENT...`, with the lengths of all batches in FILE.

One line of JSON a batch: the token lengths of its texts. It costs some ten microseconds a batch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from phalanx_cli.main import main
from phalanx_grid import Batch


def record(path: Path) -> None:
    """Let every batch that is padded from now on leave its lengths."""
    # One line at a time reaches the file: the worker ends without closing it.
    lines = path.open("w", buffering=1)
    pad = Batch.pad

    def recorded(sequences: Sequence[Sequence[int]], pad_id: int, slots: Sequence[int] | None = None) -> Batch:
        lines.write(json.dumps([len(sequence) for sequence in sequences]) + "\n")
        return pad(sequences, pad_id, slots)

    Batch.pad = staticmethod(recorded)  # type: ignore[method-assign]


if __name__ == "__main__":
    record(Path(sys.argv[1]))
    main(sys.argv[2:])
