"""Lines on a terminal: with colours there, without elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click
from rich.text import Text

from phalanx_operator.describe.lines import Line, Tone

_COLOURS: Final = {Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.BAD: "red"}
_STYLES: Final = {**_COLOURS, Tone.HEADING: "bold", Tone.QUIET: "dim"}


def show(lines: Iterable[Line]) -> None:
    """Print them; click leaves colours out where the output is no terminal."""
    for line in lines:
        bold, dim = line.tone is Tone.HEADING or None, line.tone is Tone.QUIET or None
        click.echo(click.style(line.text, fg=_COLOURS.get(line.tone), bold=bold, dim=dim) if line.text else "")


def drawn(lines: Iterable[Line]) -> Text:
    """The same for a live display: a line that is too long ends at the edge."""
    text = Text(overflow="ellipsis", no_wrap=True)
    for line in lines:
        text.append(f"{line.text}\n", style=_STYLES.get(line.tone, ""))
    return text
