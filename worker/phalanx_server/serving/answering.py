"""The way of one request: tokenize, admit, pin the adapter, queue, wait."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Final

from phalanx_contract import metrics as names
from phalanx_grid import Encoding
from phalanx_server.answers import Query, Reply
from phalanx_server.batching.admission import Admit, Ask, QueueBound, Shed, ShedReason
from phalanx_server.batching.item import Item
from phalanx_server.engine.lanes import bounds_of
from phalanx_server.engine.thread import Engine
from phalanx_server.engine.work import Pending, Results, Work
from phalanx_server.errors import Overloaded, ServeError
from phalanx_server.metrics import Metrics
from phalanx_server.serving.leases import Lease
from phalanx_server.serving.routing import Target
from phalanx_server.serving.tokens import TokenThreads
from phalanx_server.settings import Settings

_LEASE_WAIT_S: Final = 1.0
"""Wait at least so long for an adapter's slot: those that use it may take as long as a full queue does."""


@dataclass(frozen=True, slots=True)
class _Came:
    """When a request came, and the most tokens a second that may have been arriving before it."""

    at_s: float
    before: float

    @classmethod
    def now(cls, target: Target) -> _Came:
        """At this moment; it is not among what was offered yet."""
        now_s = time.monotonic()
        return cls(now_s, target.model.offered.now.rate(now_s).high)


class Answering:
    """Answers queries by the engine. Lives on the event loop."""

    def __init__(self, settings: Settings, engine: Engine, tokens: TokenThreads, metrics: Metrics) -> None:
        self._settings, self._engine, self._tokens, self._metrics = settings, engine, tokens, metrics
        self._ids = itertools.count(1)
        self._holds: dict[int, Target] = {}
        """What answers each work that is with the engine, to give back its tokens and its slot."""

    async def answer(self, target: Target, query: Query, *, objective_s: float) -> Reply:
        """All answers of one request.

        Raises:
            ServeError: any; the engine then holds nothing of the request any more, or soon will not.
        """
        bound = self._bound(target, objective_s)
        full = target.hosted.admission.full(bound, tenant=target.tenant_name, weight=target.weight)
        if full is not None:
            self._offer(target, texts=len(query.texts), tokens=None)
        self._shed_if(full, target, len(query.texts))
        start_s = time.monotonic()
        encodings = await self._tokens.encode(target.model.tokenizer, query.texts, truncate=query.truncate)
        tokenization_s = time.monotonic() - start_s
        came = _Came.now(target)
        tokens = sum(len(encoding.ids) for encoding in encodings)
        self._admit(target, len(encodings), tokens, bound)
        lease = await self._lease(target, len(encodings), tokens, bound)
        pending, works = self._works(target, query, encodings, came, lease.slot)
        self._engine.submit(works)
        try:
            answers = await pending.done
        except (asyncio.CancelledError, ServeError):
            self._engine.cancel(works)
            raise
        return Reply(
            model=target.name,
            version=target.model.digest,
            labels=lease.labels,
            fidelity=target.model.fidelity if target.tenant is None else target.model.adapted_fidelity,
            answers=answers,
            tokens=tokens,
            tokenization_s=tokenization_s,
        )

    def deliver(self, results: Results) -> None:
        """Take what the engine has finished."""
        for work, outcome in results.outcomes:
            work.pending.deliver(work.index, outcome)
        for work in results.retired:
            target = self._holds.pop(work.item.id)
            target.hosted.admission.settle(tenant=work.item.tenant, tokens=work.item.tokens)
            target.shelf.leases.release(work.item.slot)

    @property
    def in_engine(self) -> int:
        """Texts that the engine has not retired."""
        return len(self._holds)

    async def _lease(self, target: Target, count: int, tokens: int, bound: QueueBound) -> Lease:
        """The slot of what was admitted; without one its tokens are given back."""
        if target.tenant is None:
            return Lease(slot=0, labels=target.model.labels)
        wait_s = min(max(bound.longest_s, _LEASE_WAIT_S), self._settings.request_timeout_s)
        try:
            return await target.shelf.leases.lease(target.tenant, count, wait_s=wait_s)
        except BaseException as error:
            target.hosted.admission.settle(tenant=target.tenant_name, tokens=tokens)
            if isinstance(error, Overloaded):
                self._metrics.inc(names.SHED, target.model.name, by=count)
            raise

    def _works(
        self, target: Target, query: Query, encodings: list[Encoding], came: _Came, slot: int
    ) -> tuple[Pending, list[Work]]:
        pending = Pending(len(encodings))
        works = [
            Work(
                item=Item(
                    id=next(self._ids),
                    ensemble=target.model.name,
                    tokens=len(encoding.ids),
                    arrival_s=came.at_s,
                    deadline_s=came.at_s + self._settings.request_timeout_s,
                    tenant=target.tenant_name,
                    slot=slot,
                ),
                ids=encoding.ids,
                model=target.model,
                pending=pending,
                index=index,
                before=came.before,
                embedding=query.embedding,
            )
            for index, encoding in enumerate(encodings)
        ]
        self._holds |= dict.fromkeys((work.item.id for work in works), target)
        return pending, works

    def _admit(self, target: Target, texts: int, tokens: int, bound: QueueBound) -> None:
        spec = target.tenant.spec if target.tenant else None
        ask = Ask(
            tenant=target.tenant_name,
            tokens=tokens,
            weight=target.weight,
            rate_tokens_per_s=spec.rate_tokens_per_s if spec else None,
        )
        verdict = target.hosted.admission.decide(ask, bound, now_s=time.monotonic())
        if not (isinstance(verdict, Shed) and verdict.reason is ShedReason.RATE):
            self._offer(target, texts=texts, tokens=tokens)
        self._shed_if(verdict, target, texts)
        self._metrics.inc(names.TOKENS, target.model.name, by=tokens)

    def _shed_if(self, verdict: Admit | Shed | None, target: Target, count: int) -> None:
        if isinstance(verdict, Shed):
            self._metrics.inc(names.SHED, target.model.name, by=count)
            raise Overloaded(f"overloaded: {verdict.reason}", retry_after_s=verdict.retry_after_s)

    def _offer(self, target: Target, *, texts: int, tokens: int | None) -> None:
        """Tell the burst guard what was asked for. A tenant beyond its own rate is no reason to shed students."""
        offered, now_s = target.model.offered, time.monotonic()
        size = texts * offered.now.typical if tokens is None else float(tokens)
        offered.now = offered.now.counted(texts=texts, tokens=tokens, now_s=now_s)
        self._metrics.inc(names.OFFERED_TOKENS, target.model.name, by=size)

    def _bound(self, target: Target, objective_s: float) -> QueueBound:
        speed = target.model.speed
        floor = max(bounds_of(target.hosted.cut, target.model.students).floor, speed.floor)
        rate = speed.now.tokens_per_s(floor)
        limit = max(rate * objective_s * self._settings.queue_slack, float(self._settings.queue_min_tokens))
        return QueueBound(limit_tokens=limit, tokens_per_s=rate)
