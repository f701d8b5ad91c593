"""Jobs as processes, a few at a time, until they are done or the time is up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Generic, TypeVar

from bench.record import commit

POLL_S: Final = 0.2
GRACE_S: Final = 60.0
"""How long an interrupted job may take to end before it is killed; its snapshots are whole either way."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A command, where its output goes and what it is told; `of` is whatever it is a job of."""

    of: T
    command: tuple[str, ...]
    log: Path
    told: bytes = b""


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """A job that ended by itself, with its exit code, and the commit that was checked out when it started."""

    job: Job[T]
    code: int
    commit: str


@dataclass(frozen=True, slots=True)
class _Running(Generic[T]):
    job: Job[T]
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    commit: str


def run_jobs(
    jobs: Sequence[Job[T]], *, at_once: int, until: float | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Ended[T]]:
    """Run jobs in order, one thread each, and give each as it ends.

    At `until` (by `clock`) those that run are interrupted and no more are started. They end with whoever stops
    listening, too.
    """
    waiting, running = list(jobs), list[_Running[T]]()
    try:
        while (waiting or running) and (until is None or clock() < until):
            while waiting and len(running) < at_once:
                running.append(_start(waiting.pop(0)))
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                each.log.close()
                yield Ended(each.job, each.process.returncode, each.commit)
            time.sleep(POLL_S)
    finally:
        _end(running)


def _start(job: Job[T]) -> _Running[T]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    log, at = job.log.open("ab"), commit()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(
        job.command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(job.told)
    return _Running(job, process, log, at)


def _end(running: Sequence[_Running[T]]) -> None:
    for each in running:
        each.process.send_signal(signal.SIGINT)
    for each in running:
        try:
            each.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()
        each.log.close()
