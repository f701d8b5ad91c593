"""Differences of shares, as tables tell them."""

from __future__ import annotations

from collections.abc import Mapping


def points(figure: Mapping[str, float]) -> str:
    """A difference and its interval in percentage points."""
    return f"{point(figure['value'])} ({point(figure['low'])} to {point(figure['high'])})"


def point(share: float) -> str:
    """One value with its sign; nothing is less than nothing."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"
