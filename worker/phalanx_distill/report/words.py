"""Figures as a reader takes them in: percent, points, times and sizes, with fixed digits. Pure."""

from __future__ import annotations

from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
_BYTE_STEPS: Final = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def percent(share: float, digits: int = 1) -> str:
    """A share as percent: 0.9199 is 92.0 %."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def percents(low: float, high: float) -> str:
    """An interval of shares: 90.2 to 93.5 %."""
    return f"{100 * low:.1f} to {percent(high)}"


def points(difference: float) -> str:
    """The size of a difference of shares, in percentage points: -0.0207 is 2.1 points."""
    size = f"{100 * abs(difference):.1f}"
    return f"{size}\N{NO-BREAK SPACE}point{'' if size == '1.0' else 's'}"


def signed(difference: float) -> str:
    """A difference of shares in points, with its sign, and none for zero: -0.0207 is −2.1."""
    text = f"{100 * difference:+.1f}".replace("-", MINUS)
    return text if float(text[1:]) else text[1:]


def count(number: int) -> str:
    """Thousands apart: 23,992."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 student, 4 students."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def millions(number: int) -> str:
    """A number of parameters: 26.1 M; small ones whole."""
    return f"{number / 1e6:.1f} M" if number >= 1e5 else count(number)


def size(number: int) -> str:
    """Bytes in the largest binary unit that leaves a whole number."""
    for unit, step in _BYTE_STEPS:
        if number >= step:
            return f"{number / step:.1f} {unit}"
    return f"{number} B"


def seconds(number: float) -> str:
    """A span: 4.2 s, 3 min 20 s, 1 h 05 min."""
    whole = round(number)
    if number < 60:
        return f"{number:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def milliseconds(number: float) -> str:
    """Two significant places below ten: 9.42 ms, 18.6 ms."""
    return f"{number:.2f} ms" if number < 10 else f"{number:.1f} ms"


def probability(p: float) -> str:
    """A p value; tiny ones as a bound."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def shortened(text: str, most: int = 60) -> str:
    """Long texts end in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
