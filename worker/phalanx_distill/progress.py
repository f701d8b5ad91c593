"""What a person sees while training runs: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S: Final = 15.0
"""Seconds between two lines of one stage where there is no terminal: a log should stay readable."""

Advance = Callable[..., None]
"""advance(steps=1, note="") -> None"""


class Reporter(Protocol):
    """Where stages report to."""

    def stage(self, title: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """Report one stage of `total` steps, `done` of them by an earlier process; yields what is called after each."""
        ...

    def say(self, line: str) -> None:
        """Show one line that stays."""
        ...


class Silent:
    """Says nothing."""

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        yield lambda steps=1, note="": None

    def say(self, line: str) -> None:
        return


class Lines:
    """A line at most every `LINE_EVERY_S` seconds and one at the end of each stage."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        started = last = self._clock()
        before, said = done, ""

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done, last, said
            done, said = done + steps, note or said
            if self._clock() - last >= LINE_EVERY_S:
                last = self._clock()
                self.say(f"{title}: {done}/{total} {said}{_left(self._clock() - started, done - before, total - done)}")

        yield advance
        self.say(f"{title}: done in {self._clock() - started:.1f} s {said}")

    def say(self, line: str) -> None:
        self._console.print(line.rstrip(), highlight=False, soft_wrap=True, markup=False)


def _left(passed_s: float, done: int, left: int) -> str:
    """How long the steps that are left will take if they go on as those that were done meanwhile."""
    if done <= 0 or left <= 0:
        return ""
    left_s = round(passed_s / done * left)
    return f", {left_s // 60}:{left_s % 60:02} left"


class Bars:
    """A rich progress bar for each stage."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        columns = (
            TextColumn("[bold]{task.description:<22}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(title, total=total, completed=done, note="")

            def advance(steps: int = 1, note: str = "") -> None:
                progress.advance(task, steps)
                if note:
                    progress.update(task, note=note)

            yield advance

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)


def reporter(console: Console) -> Reporter:
    """Bars on a terminal, lines elsewhere."""
    return Bars(console) if console.is_terminal else Lines(console)
