"""What a terminal shows while a run goes on."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rich.text import Text

from phalanx_load.report.percentiles import percentile
from phalanx_load.run.record import UNKNOWN, Record

WINDOW_S: Final = 3.0
"""The percentiles shown are those of answers that came in so many last seconds."""


@dataclass(slots=True)
class Progress:
    """Fed with every answer, drawn a few times a second; rich asks for the drawing (`__rich__`)."""

    total: int
    seconds: float
    sent: int = 0
    answered: int = 0
    errors: int = 0
    students: int = UNKNOWN
    _recent: deque[tuple[float, float]] = field(default_factory=deque)
    _began_s: float = field(default_factory=time.monotonic)

    def take(self, record: Record, index: int, sent: int) -> None:
        """One more outcome."""
        self.sent = sent
        if record.status[index] == 200:
            self.answered += 1
            now_s = time.monotonic()
            self._recent.append((now_s, record.latency_s[index]))
            self._forget(now_s)  # here too: where nobody draws, answers would gather for the whole run
            self.students = record.students[index]
        else:
            self.errors += 1

    def __rich__(self) -> Text:
        now_s = time.monotonic()
        self._forget(now_s)
        elapsed_s = now_s - self._began_s
        parts = [f"{min(elapsed_s, self.seconds):.0f}/{self.seconds:.0f} s", f"sent {self.sent}/{self.total}"]
        parts.append(f"answered {self.answered} ({len(self._recent) / min(WINDOW_S, elapsed_s or 1.0):.0f}/s)")
        ordered = sorted(latency_s for _, latency_s in self._recent)
        if ordered:
            p50_ms, p99_ms = (1000 * percentile(ordered, share) for share in (0.5, 0.99))
            parts.append(f"p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms")
        if self.students != UNKNOWN:
            parts.append(f"k {self.students}")
        line = Text("   ".join(parts), no_wrap=True, overflow="ellipsis")
        return line.append(f"   errors {self.errors}", style="bold red") if self.errors else line

    def _forget(self, now_s: float) -> None:
        """Drop what has left the window."""
        while self._recent and self._recent[0][0] < now_s - WINDOW_S:
            self._recent.popleft()
