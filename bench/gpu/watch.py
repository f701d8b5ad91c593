"""The time that a run has, and what each part did not get to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


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

    def skip(self, what: str) -> None:
        """Say what there is no time for."""
        self.skipped.append(what)
        self.progress.console.print(f"[yellow]{self.name}: skipped {what}")

    def rounds(self, what: str, count: int, *, share: float = 1.0, least: int = 3) -> Iterator[int]:
        """So many turns, or as many as go into a share of what is left."""
        task, until_s = self.progress.add_task(f"{self.name}: {what}", total=count), self.left() * (1 - share)
        done = 0
        while done < count and (done < least or self.left() > until_s):
            yield done
            done += 1
            self.progress.advance(task)
        self.progress.remove_task(task)
        if done < count:
            self.skip(f"{count - done} of {count} rounds of {what}")


class Watch:
    """Gives the parts their time, in order."""

    def __init__(self, shares: Mapping[str, float], *, total_s: float, console: Console) -> None:
        self._ends, self._begin_s = deadlines(shares, total_s), time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console, transient=True)
        self.skipped: dict[str, list[str]] = {}

    @property
    def elapsed_s(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begin_s

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Run one part."""
        part = Part(name, self.progress, lambda: self._ends[name] - self.elapsed_s)
        begin_s = self.elapsed_s
        yield part
        self.skipped[name] = part.skipped
        self.progress.console.print(f"{name}: {self.elapsed_s - begin_s:.0f} s")
