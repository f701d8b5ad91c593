"""What to do with an answer of the API server that is no success. Pure; docs/operations.md has it as a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

NO_ANSWER: Final = 0
"""The status of a request that was not answered: no connection, or not in time."""
TRIES: Final = 3
"""Of one request, the first one included."""
PAUSE_S: Final = 0.25
"""Before the second try; twice as long before each further one."""
LONGEST_PAUSE_S: Final = 5.0
"""A server that asks for more patience than this gets it from the back-off of the round."""


class Course(enum.Enum):
    """What a failed request leads to."""

    TRY_AGAIN = "the same request, after a pause; then the round fails and is tried again with back-off"
    NEXT_ROUND = "the round fails; the next one reads what is there now"
    REPORT = "the server will not have it: a condition says so, and it is tried again when something changes"


_TRANSIENT: Final = frozenset({NO_ANSWER, 408, 425, 429, 500, 502, 503, 504})
_REFUSED: Final = frozenset({400, 403, 405, 406, 413, 415, 422})


def course(status: int) -> Course:
    """By the HTTP status; every request here may be sent twice (applied, merged, or named by a uid)."""
    if status in _TRANSIENT:
        return Course.TRY_AGAIN
    return Course.REPORT if status in _REFUSED else Course.NEXT_ROUND


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; None without one, or where it is a date (the API server sends none)."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() else None


def pause_s(failures: int, *, asked_s: float | None, dice: float) -> float | None:
    """How long to wait before the same request is sent again after so many failures; None: give up.

    What the server asks for is the least; `dice` in [0, 1) spreads the tries of many rounds that failed at once.
    """
    wait_s = max(PAUSE_S * 2.0 ** (failures - 1), asked_s or 0.0)
    if failures >= TRIES or wait_s > LONGEST_PAUSE_S:
        return None
    return wait_s * (1 + dice / 2)
