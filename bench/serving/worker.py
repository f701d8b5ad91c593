"""A worker as a process, and the batches that it ran."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.serving.scale import OBJECTIVE_S
from phalanx_contract import metrics

MODEL = "model"
THREADS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Students:
    """The range that a worker may use, under the name of its figures."""

    name: str
    fewest: int
    most: int


class Worker:
    """`phalanx serve` for the length of a `with` block. `folder` gets its log and its record of batches."""

    def __init__(self, artifact: Path, students: Students, folder: Path) -> None:
        self.students = students
        self._batches, self._log = folder / f"{students.name}.batches", folder / f"{students.name}.log"
        self._command = [
            sys.executable, "-m", "bench.serving.recorded", str(self._batches), "serve", "--artifact", str(artifact),
            "--name", MODEL, "--objective", str(OBJECTIVE_S), "--students-min", str(students.fewest),
            "--students-max", str(students.most), "--host", "127.0.0.1", "--port", "0", "--threads", str(THREADS),
            "--cache-dir", str(folder / "cache"), "--log-level", "WARNING",
        ]  # fmt: skip
        self.url = ""

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, env=environment())
        try:
            self._wait_until_ready()
        except BaseException:  # Ctrl-C too: nobody calls __exit__ after an __enter__ that fails
            self._process.kill()
            self._process.communicate()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.communicate()

    def mark(self) -> int:
        """Where its record of batches ends now."""
        return self._batches.stat().st_size

    def batches_since(self, mark: int) -> list[list[int]]:
        """Token lengths of every batch since a mark."""
        with self._batches.open("rb") as file:
            file.seek(mark)
            return [json.loads(line) for line in file]

    def busy_s(self) -> float:
        """Seconds in which its engine has computed."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{metrics.BUSY_SECONDS.exposed} "))

    def _wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().removeprefix("serving on ").strip()
        deadline_s = time.monotonic() + 60
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the worker does not become ready:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v2/health/ready", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, ValueError):
            return False


def environment() -> dict[str, str]:
    """What all measured processes run with: sleeping threads, one of them for computing."""
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(THREADS), "PYTHONUNBUFFERED": "1"}
