"""How long to wait before the next try after a failure. Pure: time comes in as an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Exponential back-off that forgets after a long enough success.

    The wait after failure number n (from 1) is `initial_s * factor ** (n - 1)`, at most `max_s`. A success that
    lasted `reset_after_s` starts the count again, as the kubelet does for a container that ran for long.
    """

    initial_s: float = 1.0
    factor: float = 2.0
    max_s: float = 60.0
    reset_after_s: float = 60.0
    failures: int = 0

    @property
    def delay_s(self) -> float:
        """The wait before the next try; 0 while nothing has failed."""
        if self.failures == 0:
            return 0.0
        # The exponent is bounded so that a long series of failures cannot overflow a float.
        return min(self.initial_s * self.factor ** min(self.failures - 1, 64), self.max_s)

    def failed(self, *, after_s: float = 0.0) -> Backoff:
        """The state after a failure that followed `after_s` seconds of success."""
        return replace(self, failures=1 if after_s >= self.reset_after_s else self.failures + 1)

    def succeeded(self) -> Backoff:
        """The state after a success that needs no proof of lasting."""
        return replace(self, failures=0)
