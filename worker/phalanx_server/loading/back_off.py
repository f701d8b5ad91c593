"""When to try again."""

from __future__ import annotations

from collections.abc import Iterator


def delays(*, first_s: float, most_s: float) -> Iterator[float]:
    """Seconds before each further attempt: doubling from `first_s`, `most_s` at most, without end."""
    delay_s = first_s
    while True:
        yield min(delay_s, most_s)
        delay_s = min(delay_s * 2, most_s)
