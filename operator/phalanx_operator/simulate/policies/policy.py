"""What a policy sees and says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from phalanx_contract.plan import Cut
from phalanx_operator.decide.types import Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What there is to decide on. `live` counts all workers, `ready` those that take texts.

    `observe` reads the metrics, which takes long enough that a policy which needs none should not.
    """

    observe: Callable[[], Observation]
    live: int
    ready: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A decision in words: what it is about (`students`, `workers`), the action, the reason, and the sentence."""

    about: str
    action: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """The cut that the workers are to serve, how many workers there are to be, and why."""

    cut: Cut
    replicas: int
    told: tuple[Told, ...] = ()


class Policy(Protocol):
    """Asked once in `interval_s`, from the start of the trace on."""

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    @property
    def interval_s(self) -> float:
        """Seconds between two questions."""
        ...

    @property
    def first_cut(self) -> Cut:
        """What the workers serve before the first decision."""
        ...

    def decide(self, seen: Seen, *, now: float) -> Orders:
        """The orders from `now` on."""
        ...
