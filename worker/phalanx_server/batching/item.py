"""What waits: one text of one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASE: Final = ""
"""The tenant of requests that name none: they get the ensemble's own readout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One text. `tokens` includes special tokens; `slot` is the adapter slot (0: the base model).

    `deadline_s` is when the answer is worth nothing any more; within one ensemble deadlines are in the order of
    arrival, because one timeout holds for all.
    """

    id: int
    ensemble: str
    tokens: int
    arrival_s: float
    deadline_s: float
    tenant: str = BASE
    slot: int = 0
