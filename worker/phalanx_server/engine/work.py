"""What travels between the event loop and the engine thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from phalanx_contract.plan import Cut
from phalanx_server.answers import Answer
from phalanx_server.batching.item import Item
from phalanx_server.errors import ServeError
from phalanx_server.models import Model


class Pending:
    """One request of several texts, on the event loop: complete with the last answer, or at the first error."""

    def __init__(self, count: int) -> None:
        self._answers: list[Answer | None] = [None] * count
        self._left = count
        self.done: asyncio.Future[tuple[Answer, ...]] = asyncio.get_running_loop().create_future()

    def deliver(self, index: int, outcome: Answer | ServeError) -> None:
        """Take the outcome of one text. What comes after the client left, or after an error, is dropped.

        Raises:
            RuntimeError: the text has been answered before.
        """
        if self.done.done():
            return
        if isinstance(outcome, ServeError):
            self.done.set_exception(outcome)
            return
        if self._answers[index] is not None:
            raise RuntimeError(f"text {index} was answered twice")
        self._answers[index] = outcome
        self._left -= 1
        if not self._left:
            self.done.set_result(tuple(answer for answer in self._answers if answer is not None))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Work:
    """One text on its way through the engine. `item.slot` stays acquired until the work is retired.

    `before` is the most tokens a second that clients may have been asking of the model before this request.
    """

    item: Item
    ids: Sequence[int]
    model: Model
    pending: Pending
    index: int
    before: float = 0.0
    digest: str = ""
    """The adapter's content digest; empty for the base model."""
    embedding: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """All texts of one request."""

    works: Sequence[Work]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Their client has gone: drop what has not started."""

    works: Sequence[Work]


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread once nothing waits."""


Message: TypeAlias = Submit | Cancel | Stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What the plan asks of the engine; replaced as a whole between batches.

    `models` are those that serve. `candidates` may take their places: one that computes nonsense is no sign of a broken
    device, so self-checks leave them out.
    """

    plan: str = ""
    objective_s: float = 1.0
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    models: Sequence[Model] = ()
    candidates: Sequence[Model] = ()

    def cut(self, model: Model) -> Cut:
        """The cut for a model; one that the plan has dropped finishes with all its students."""
        return self.cuts.get(model.name, Cut())


@dataclass(frozen=True, slots=True)
class Results:
    """What the engine has for the event loop: answers to deliver, works that are over (release what they hold)."""

    outcomes: Sequence[tuple[Work, Answer | ServeError]] = ()
    retired: Sequence[Work] = ()
