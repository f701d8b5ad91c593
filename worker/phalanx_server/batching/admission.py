"""Admission: what is refused before it waits, counted in tokens whatever the shape of the request.

Three bounds: the tenant's own rate, the tenant's share of the queue once the queue is half full, and the queue as a
whole. A request that finds the queue empty is always let in (past its rate limit it is not): the oldest request runs,
however slow the device.

A tenant that is alone may fill the whole queue, and one that floods it fills every gap at once. So what stays within
its tenant's share passes a full queue, by a reserve: who asks seldom would meet a full queue nearly always. From then
on the one that floods is beyond its own share, and refused until it is not: the reserve is soon there again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

_PRESSURE: Final = 0.5
"""Share of the queue from which on tenants are held to their fair share."""

RESERVE: Final = 0.5
"""What may wait beyond the limit, as a part of it, of tenants within their share: of two tenants any share fits."""

_RATE_BURST_S: Final = 1.0
"""A tenant may spend this many seconds of its rate at once."""


class ShedReason(enum.StrEnum):
    """Which bound refused. A tenant beyond its share of a full queue is told of the queue."""

    RATE = "tenant rate limit"
    SHARE = "tenant share of a busy queue"
    QUEUE = "queue full"


@dataclass(frozen=True, slots=True)
class Admit:
    """Let in; `Admission.settle` must be called with the same tenant and tokens when it is answered."""


@dataclass(frozen=True, slots=True)
class Shed:
    """Refused; worth another try after so many seconds."""

    retry_after_s: float
    reason: ShedReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request. `rate_tokens_per_s` None means unlimited."""

    tenant: str
    tokens: int
    weight: int = 1
    rate_tokens_per_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueBound:
    """How many tokens may be unanswered, and how fast they drain at the floor."""

    limit_tokens: float
    tokens_per_s: float

    @property
    def longest_s(self) -> float:
        """Seconds that a full queue takes to drain, with its reserve."""
        return self.limit_tokens * (1 + RESERVE) / self.tokens_per_s


@dataclass(slots=True)
class TokenBucket:
    """A rate limit that lets a full bucket go into debt, so that a request larger than the burst passes at all."""

    rate: float
    level: float
    at_s: float

    def wait_s(self, tokens: int, *, rate: float, now_s: float) -> float:
        """Seconds until so many tokens may pass; 0 for now. Refills up to `now_s`."""
        self.rate = rate
        burst = rate * _RATE_BURST_S
        self.level = min(burst, self.level + max(now_s - self.at_s, 0.0) * rate)
        self.at_s = max(now_s, self.at_s)
        needed = min(float(tokens), burst)
        return max(needed - self.level, 0.0) / rate


@dataclass(slots=True)
class _Share:
    """A tenant with unanswered tokens."""

    weight: int
    tokens: int = 0


@dataclass(slots=True)
class Admission:
    """The unanswered tokens of one ensemble, by tenant. State is changed by `decide` and `settle` alone."""

    tokens: int = 0
    _shares: dict[str, _Share] = field(default_factory=dict)
    _weights: int = 0
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)

    def decide(self, ask: Ask, bound: QueueBound, *, now_s: float) -> Admit | Shed:
        """Let a request in, and count it, or say when to try again."""
        shed = self._refuse_rate(ask, now_s) or self._refuse_queue(ask, bound)
        if shed is not None:
            return shed
        if ask.rate_tokens_per_s is not None:
            self._buckets[ask.tenant].level -= ask.tokens
        share = self._shares.get(ask.tenant)
        if share is None:
            share = self._shares[ask.tenant] = _Share(weight=ask.weight)
            self._weights += ask.weight
        share.tokens += ask.tokens
        self.tokens += ask.tokens
        return Admit()

    def full(self, bound: QueueBound, *, tenant: str, weight: int) -> Shed | None:
        """Whether any request of a tenant would find the queue full: a cheap look before its text is even tokenized."""
        if self.tokens <= bound.limit_tokens:
            return None
        return self._refuse_queue(Ask(tenant=tenant, tokens=1, weight=weight), bound)

    def settle(self, *, tenant: str, tokens: int) -> None:
        """Give back what an answered or cancelled request had taken."""
        share = self._shares[tenant]
        share.tokens -= tokens
        self.tokens -= tokens
        if share.tokens == 0:
            self._weights -= share.weight
            del self._shares[tenant]

    def forget(self, tenant: str) -> None:
        """Drop the rate limit's memory of a tenant that is gone."""
        self._buckets.pop(tenant, None)

    def _refuse_rate(self, ask: Ask, now_s: float) -> Shed | None:
        rate = ask.rate_tokens_per_s
        if rate is None:
            return None
        full = TokenBucket(rate=rate, level=rate * _RATE_BURST_S, at_s=now_s)
        wait_s = self._buckets.setdefault(ask.tenant, full).wait_s(ask.tokens, rate=rate, now_s=now_s)
        return Shed(wait_s, ShedReason.RATE) if wait_s > 0 else None

    def _refuse_queue(self, ask: Ask, bound: QueueBound) -> Shed | None:
        after = self.tokens + ask.tokens
        if self.tokens == 0 or after <= bound.limit_tokens * _PRESSURE:
            return None
        over = self._over_share(ask, bound)
        # A tenant alone owns the whole queue, so the share binds only where others wait too.
        if over > 0 and after <= bound.limit_tokens:
            return Shed(over / bound.tokens_per_s, ShedReason.SHARE)
        most = bound.limit_tokens * (1 if over > 0 else 1 + RESERVE)
        return Shed((after - most) / bound.tokens_per_s, ShedReason.QUEUE) if after > most else None

    def _over_share(self, ask: Ask, bound: QueueBound) -> float:
        """Tokens beyond the tenant's share; its weight counts also if nothing of it waits yet."""
        share = self._shares.get(ask.tenant)
        weights = self._weights + (ask.weight if share is None else 0)
        return (share.tokens if share else 0) + ask.tokens - bound.limit_tokens * ask.weight / weights
