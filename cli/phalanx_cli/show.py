"""Where `phalanx up` prints: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.live import Live

from phalanx_operator.local.table import line, render

View = dict[str, Any]


class Screen(AbstractContextManager["Screen"]):
    """A table that is drawn over; the notes are part of it."""

    def __init__(self) -> None:
        self._live = Live(console=Console(), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        """Draw."""
        self._live.update(render(view), refresh=True)

    def say(self, text: str) -> None:
        """Print above the table."""
        self._live.console.print(text, highlight=False, markup=False)


class Lines(AbstractContextManager["Lines"]):
    """A line when a pool's or ensemble's readiness, range or thresholds change."""

    def __init__(self) -> None:
        self._said: dict[str, object] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, view: View) -> None:
        """Print the ensembles that changed."""
        for ensemble in view["ensembles"]:
            ready = ensemble["conditions"].get("Ready", {}).get("status")
            state = (ready, str(ensemble["students"]), str(ensemble["thresholds"]), str(ensemble["workers"]))
            if self._said.get(ensemble["name"]) != state:
                self._said[ensemble["name"]] = state
                self.say(line(ensemble))

    def say(self, text: str) -> None:
        """Print at once, also into a pipe."""
        click.echo(text)
