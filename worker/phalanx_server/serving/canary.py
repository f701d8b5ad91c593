"""Who answers a request while a candidate is on trial, and what the two answers say of each other.

    a share of the base model's requests --> candidate --> the client
                                               |  `--> the serving artifact is asked too, compared, and not sent
                                               `-- fails --> serving artifact --> the client
    all others, and all of a busy worker --> serving artifact --> the client

Both are asked one after the other, so that neither waits for the other, and their times compare. The second answer is
only computed while the device has time to spare: a candidate costs no objective, and loses no request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from phalanx_contract import metrics as names
from phalanx_server.answers import Query, Reply
from phalanx_server.engine.lanes import bounds_of
from phalanx_server.errors import Overloaded, ServeError, Unavailable
from phalanx_server.metrics import Metrics
from phalanx_server.serving.agreement import agreeing, comparable
from phalanx_server.serving.answering import Answering
from phalanx_server.serving.hosted import Hosted
from phalanx_server.serving.routing import Target
from phalanx_server.serving.trial import Trial

log = logging.getLogger(__name__)

_SPARE_WAIT: Final = 0.25
"""Share of the objective that what waits may take with all students, for a device that has time to spare."""
_SPARE_LOAD: Final = 0.7
"""Share of the device that what arrives may take."""
_AT_ONCE: Final = 2
"""Second answers that are on their way at a time."""


class Canary:
    """Stands in front of `answering`. Lives on the event loop; `everyone` has all that share the device."""

    def __init__(
        self,
        answering: Answering,
        trials: Mapping[str, Trial],
        metrics: Metrics,
        *,
        everyone: Callable[[], Iterable[Hosted]],
    ) -> None:
        self._answering, self._trials, self._metrics, self._everyone = answering, trials, metrics, everyone
        self._comparing: set[asyncio.Task[None]] = set()

    async def answer(self, target: Target, query: Query, *, objective_s: float) -> Reply:
        """All answers of one request; errors as `Answering.answer`."""
        trial = self._trials.get(target.ensemble)
        if trial is None or target.tenant is not None or target.fixed or not trial.due():
            return await self._answering.answer(target, query, objective_s=objective_s)
        shelf = trial.shelf
        if shelf is None or not self._calm(0, target, objective_s):
            return await self._answering.answer(target, query, objective_s=objective_s)
        if not comparable(target.model, shelf.model):
            self._count(trial, target, texts=len(query.texts), agreeing=0)
            return await self._answering.answer(target, query, objective_s=objective_s)
        candidate = replace(target, hosted=trial.hosted, shelf=shelf)
        return await self._try(trial, candidate, target, query, objective_s)

    async def close(self) -> None:
        """Give up comparing."""
        for task in self._comparing:
            task.cancel()
        await asyncio.gather(*self._comparing, return_exceptions=True)

    async def _try(self, trial: Trial, candidate: Target, target: Target, query: Query, objective_s: float) -> Reply:
        start_s = time.monotonic()
        try:
            reply = await self._answering.answer(candidate, query, objective_s=objective_s)
        except Exception as error:
            return await self._instead(trial, target, query, objective_s, error)
        seconds = time.monotonic() - start_s
        if len(self._comparing) < _AT_ONCE and self._calm(reply.tokens, target, objective_s):
            compare = self._compare(trial, target, query, reply, candidate_s=seconds, objective_s=objective_s)
            task = asyncio.create_task(compare, name=f"compare {target.ensemble}")
            self._comparing.add(task)
            task.add_done_callback(self._comparing.discard)
        return reply

    async def _instead(self, trial: Trial, target: Target, query: Query, objective_s: float, error: Exception) -> Reply:
        """The serving artifact's answer where the candidate had none; to be too busy says nothing of the candidate."""
        if not isinstance(error, ServeError):
            log.error("the candidate for %s failed on a request", target.ensemble, exc_info=error)
        reply = await self._answering.answer(target, query, objective_s=objective_s)
        if not isinstance(error, Overloaded | Unavailable):
            trial.count(texts=len(query.texts), agreeing=0)
            self._metrics.inc(names.CANDIDATE_TEXTS, target.ensemble, "failed", by=len(query.texts))
        return reply

    async def _compare(
        self, trial: Trial, target: Target, query: Query, reply: Reply, *, candidate_s: float, objective_s: float
    ) -> None:
        start_s = time.monotonic()
        try:
            served = await self._answering.answer(target, query, objective_s=objective_s)
        except ServeError:
            return  # too busy after all, or it is going away
        serving_s = time.monotonic() - start_s
        alike = agreeing(query, reply, served)
        self._count(trial, target, texts=len(query.texts), agreeing=alike, candidate_s=candidate_s, serving_s=serving_s)

    def _count(
        self,
        trial: Trial,
        target: Target,
        *,
        texts: int,
        agreeing: int,
        candidate_s: float = 0.0,
        serving_s: float = 0.0,
    ) -> None:
        trial.count(texts=texts, agreeing=agreeing, candidate_s=candidate_s, serving_s=serving_s)
        self._metrics.inc(names.CANDIDATE_TEXTS, target.ensemble, "agrees", by=agreeing)
        self._metrics.inc(names.CANDIDATE_TEXTS, target.ensemble, "differs", by=texts - agreeing)
        self._metrics.inc(names.CANDIDATE_SECONDS, target.ensemble, "candidate", by=candidate_s)
        self._metrics.inc(names.CANDIDATE_SECONDS, target.ensemble, "serving", by=serving_s)

    def _calm(self, tokens: int, target: Target, objective_s: float) -> bool:
        """Whether the device has time for so many tokens more, beside all that waits and arrives."""
        speed, students = target.model.speed.now, bounds_of(target.hosted.cut, target.model.students).ceiling
        wait_s, load, now_s = speed.drain_s(students=students, tokens=tokens), 0.0, time.monotonic()
        for each in self._everyone():
            if each.shelf is not None:
                model = each.shelf.model
                speed, students = model.speed.now, bounds_of(each.cut, model.students).ceiling
                wait_s += speed.drain_s(students=students, tokens=each.admission.tokens)
                load += model.offered.now.rate(now_s).middle / speed.tokens_per_s(students)
        return wait_s <= _SPARE_WAIT * objective_s and load <= _SPARE_LOAD
