"""The engine alone: batches through the executor one after the other, in a process of its own without any server.

python -m bench.serving.bare ARTIFACT    reads lines of JSON {"students": k, "batches": [[lengths], ...]} and
                                         answers each with the seconds that its batches took
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.serving.worker import THREADS, environment

Batches = Sequence[Sequence[int]]


class BareEngine:
    """The process, for the length of a `with` block. `folder` gets its copy of the artifact."""

    def __init__(self, artifact: Path, folder: Path) -> None:
        self._command = [sys.executable, "-m", "bench.serving.bare", str(artifact), str(folder / "cache")]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self.seconds([[8]], students=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def seconds(self, batches: Batches, *, students: int) -> float:
        """How long these batches take, one after the other."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"students": students, "batches": batches}) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(artifact: Path, cache: Path) -> None:
    """Answer until the input ends."""
    # By the worker's own loader: the same number format, executor and threads.
    from phalanx_contract.plan import Artifact
    from phalanx_grid import Batch, read_manifest
    from phalanx_server.loading.loader import Loader
    from phalanx_server.settings import read_settings

    _, digest = read_manifest(artifact)
    loader = Loader(read_settings({}, threads=THREADS, cache_dir=str(cache)))
    model = loader.model("model", Artifact(uri=artifact.resolve().as_uri(), digest=digest))

    def run(lengths: Sequence[int], students: int) -> None:
        batch = Batch.pad([range(1, length + 1) for length in lengths], model.grid.geometry.pad_id)
        for _ in model.executor.steps(batch, students=students):
            pass

    for line in sys.stdin:
        order = json.loads(line)
        start_s = time.perf_counter()
        for lengths in order["batches"]:
            run(lengths, order["students"])
        print(time.perf_counter() - start_s, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
