"""The time that a run has, what each part did not get to, and who answered wrongly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_SHOWN = 200
"""Characters of an error that are kept: compilers say pages."""


def deadlines(shares: Mapping[str, float], total_s: float) -> dict[str, float]:
    """Seconds from the start by which each part has to end. What a part leaves over, the next ones have."""
    ends, spent, whole = {}, 0.0, sum(shares.values())
    for name, share in shares.items():
        spent += share
        ends[name] = total_s * spent / whole
    return ends


@dataclass(slots=True)
class Part:
    """One part on its way. `rounds` is a loop with a bar that ends at the deadline, but not before `least` turns."""

    name: str
    progress: Progress
    left: Callable[[], float]
    skipped: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    """Executors whose answers were beyond their tolerance, in any part, and how far: nobody times them."""

    def skip(self, what: str) -> None:
        """Say what is not measured, and why."""
        self.skipped.append(what)
        self.progress.console.print(f"[yellow]{self.name}: skipped {escape(what)}")

    def reject(self, executor: str, why: str) -> None:
        """An executor answers wrongly: it is left out from here on, and the run will not have passed."""
        self.wrong.setdefault(executor, why)
        self.progress.console.print(f"[bold red]{self.name}: {escape(executor)} {escape(why)}")

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Skip what fails in the block, whatever way: kernels and compilers of others must not cost all the rest."""
        try:
            yield
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            self.skip(f"{what}: {type(error).__name__}: {said[0][:_SHOWN]}")

    def rounds(self, what: str, count: int, *, share: float = 1.0, least: int = 3) -> Iterator[int]:
        """So many turns, or as many as go into a share of what is left."""
        task, until_s = self.progress.add_task(f"{self.name}: {what}", total=count), self.left() * (1 - share)
        done = 0
        try:
            while done < count and (done < least or self.left() > until_s):
                yield done
                done += 1
                self.progress.advance(task)
        finally:
            self.progress.remove_task(task)
        if done < count:
            self.skip(f"{count - done} of {count} rounds of {what}: no time left")


class Watch:
    """Gives the parts their time, in order."""

    def __init__(self, shares: Mapping[str, float], *, total_s: float, console: Console) -> None:
        self._ends, self._begin_s = deadlines(shares, total_s), time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console, transient=True)
        self.skipped: dict[str, list[str]] = {}
        self.wrong: dict[str, str] = {}

    @property
    def elapsed_s(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begin_s

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Run one part. What it raises is noted as skipped, and ends this part alone."""
        part = Part(name, self.progress, lambda: self._ends[name] - self.elapsed_s, wrong=self.wrong)
        begin_s = self.elapsed_s
        with part.attempt("the rest of this part"):
            yield part
        if part.skipped:
            self.skipped[name] = part.skipped
        self.progress.console.print(f"{name}: {self.elapsed_s - begin_s:.0f} s")
