"""Durations (`20ms`, `1m30s`) and quantities (`1Gi`, `500M`) as users write them, and times as the API server does.

The grammars are those of Go's time.ParseDuration and Kubernetes' resource.Quantity, less signs and exponents.
The patterns are the ones in the schema, so that the API server and this module refuse the same texts.
"""

from __future__ import annotations

import calendar
import re
from fractions import Fraction
from typing import Final

DURATION: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
QUANTITY: Final = r"^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$"

_SECONDS: Final = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_FACTOR: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_DURATION_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_TIME: Final = re.compile(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)")
_QUANTITY_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: the text is no duration; the message says what one looks like.
    """
    if re.fullmatch(DURATION[1:-1], text) is None:
        raise ValueError(f"{text!r} is not a duration: write a number with its unit, such as 20ms, 1.5s or 1m30s")
    return float(sum(Fraction(number) * _SECONDS[unit] for number, unit in _DURATION_TERM.findall(text)))


def parse_quantity(text: str) -> int:
    """Bytes (or whatever is counted), rounded up to a whole one.

    Raises:
        ValueError: the text is no quantity; the message says what one looks like.
    """
    match = _QUANTITY_TERM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write a number with a unit, such as 512Mi or 1Gi")
    amount = Fraction(match[1]) * _FACTOR[match[2] or ""]
    return -(-amount.numerator // amount.denominator)


def seconds_of(time: str) -> float | None:
    """An API server's time in seconds since 1970; None if it is none."""
    match = _TIME.match(time or "")
    return None if match is None else float(calendar.timegm(tuple(map(int, match.groups()))))


def format_duration(seconds: float) -> str:
    """A duration for people, in four digits: `20ms`, `1.5s`, `7200s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.4g}ms"
    return f"{seconds:.4g}s" if seconds < 1000 else f"{seconds:.0f}s"
