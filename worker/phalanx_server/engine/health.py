"""Whether the device still computes, as far as the engine knows."""

from __future__ import annotations


class Health:
    """Written by the engine thread, read by the event loop. `problem` is empty while all is well."""

    def __init__(self, *, stall_s: float) -> None:
        self._stall_s = stall_s
        self._busy_since_s: float | None = None
        self._failure = ""

    def begin(self, now_s: float) -> None:
        """A pass starts."""
        self._busy_since_s = now_s

    def passed(self) -> None:
        """It came to its end: the device works, whatever was before."""
        self._busy_since_s, self._failure = None, ""

    def failed(self, why: str) -> None:
        """A self-check failed."""
        self._busy_since_s, self._failure = None, why

    def problem(self, now_s: float) -> str:
        """Why the engine cannot be trusted with requests, or nothing."""
        since_s = self._busy_since_s
        if since_s is not None and now_s - since_s > self._stall_s:
            return f"the engine has been in one batch for {now_s - since_s:.0f} s"
        return self._failure
