"""How much is asked for: the rate of offered tokens, and how sure it is.

Each request of x tokens adds x to an average that decays with time constant tau, so the rate is `sum(x * w) / tau`
with `w = exp(-age / tau)`. Requests arrive independently of each other (a Poisson process with weights), which makes
the variance of that estimate `sum(x^2 * w^2) / tau^2`: few large requests say less than many small ones. Two averages
run side by side: the slow one is precise, the fast one notices within a fraction of a second that a burst began.

What is refused because the queue is full counts too: it is the demand that fewer students would have met.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

_SLOW_S: Final = 1.0
_FAST_S: Final = 0.25
_SURE: Final = 2.0
"""Standard errors between the estimate and what arrivals surely, or at most, are."""

_TYPICAL: Final = 0.05
"""What one request says of the length of a text, for those that are refused before they are tokenized."""


@dataclass(frozen=True, slots=True)
class Between:
    """A figure that is known within bounds, `low <= high`."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Halfway: the best guess."""
        return (self.low + self.high) / 2

    def __add__(self, other: Between) -> Between:
        return Between(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Between:
        """Both bounds, times a factor that is not negative."""
        return Between(self.low * factor, self.high * factor)


NONE: Final = Between(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Decayed:
    """Sums over requests, decayed: of x * w in `tokens`, of (x * w)^2 in `squares`."""

    tau_s: float
    tokens: float = 0.0
    squares: float = 0.0

    def after(self, seconds: float) -> _Decayed:
        """The sums so much later."""
        weight = math.exp(-seconds / self.tau_s)
        return replace(self, tokens=self.tokens * weight, squares=self.squares * weight * weight)

    def plus(self, tokens: float) -> _Decayed:
        """The sums with another request."""
        return replace(self, tokens=self.tokens + tokens, squares=self.squares + tokens * tokens)

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.tau_s

    @property
    def error(self) -> float:
        """How far off the rate may be, in tokens a second."""
        return _SURE * math.sqrt(self.squares) / self.tau_s


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has been offered to one ensemble up to `at_s`. Immutable: one thread counts, another one reads."""

    at_s: float = 0.0
    slow: _Decayed = _Decayed(_SLOW_S)
    fast: _Decayed = _Decayed(_FAST_S)
    typical: float = 32.0
    """Tokens of a text, on average."""

    def counted(self, *, texts: int, tokens: int | None, now_s: float) -> Arrivals:
        """With one more request; `tokens` None is for texts that nobody has tokenized."""
        size = texts * self.typical if tokens is None else float(tokens)
        then = self._at(now_s)
        return replace(
            then,
            slow=then.slow.plus(size),
            fast=then.fast.plus(size),
            typical=self.typical + _TYPICAL * (size / max(texts, 1) - self.typical),
        )

    def rate(self, now_s: float) -> Between:
        """Offered tokens a second: what they surely are, and what they may be."""
        then = self._at(now_s)
        slow, fast = then.slow, then.fast
        low = max(slow.rate - slow.error, fast.rate - fast.error, 0.0)
        # The fast average without its error, which would keep students away from a calm worker with few requests.
        return Between(low, max(slow.rate + slow.error, fast.rate))

    def _at(self, now_s: float) -> Arrivals:
        seconds = max(now_s - self.at_s, 0.0)
        return replace(self, at_s=max(now_s, self.at_s), slow=self.slow.after(seconds), fast=self.fast.after(seconds))
