"""The part that open and closed loop share: requests out, outcomes into the record, none waited for for ever."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from random import Random

from phalanx_load.protocols import PROTOCOLS
from phalanx_load.run.record import Record
from phalanx_load.samples import Sample
from phalanx_load.target import Target
from phalanx_load.wire.client import Client, Failure
from phalanx_load.wire.parser import Response


class Exchange:
    """Sends request `index` of a record with a sample; the times in the record count from `began_s`.

    `ended` is called after each outcome, with the request's index.
    """

    def __init__(
        self, target: Target, record: Record, *, connections: int, timeout_s: float, ended: Callable[[int], None]
    ) -> None:
        self.record = record
        self._target, self._timeout_s, self._ended = target, timeout_s, ended
        self._label = PROTOCOLS[target.protocol].label
        self._loop = asyncio.get_running_loop()
        self._client = Client(target.address, secure=target.secure, connections=connections, done=self._done)
        self._bytes: dict[Sample, bytes] = {}
        self._open: OrderedDict[int, tuple[float, Sample]] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None
        self.began_s = self._loop.time()

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return self._loop.time() - self.began_s

    @property
    def open(self) -> int:
        """Requests without an outcome."""
        return len(self._open)

    def send(self, index: int, sample: Sample) -> None:
        """Send a request now."""
        data = self._bytes.get(sample)
        if data is None:
            data = self._bytes[sample] = self._target.request(sample)
        now_s = self.now_s
        self._open[index] = (now_s + self._timeout_s, sample)
        self.record.sent(index, now_s=now_s)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._timeout_s, self._sweep)
        self._client.send(index, data)

    def close(self) -> None:
        """Drop what is open; it stays so in the record, with the time that it has waited."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.record.left_open(self._open, now_s=self.now_s)
        self.record.peak_connections = self._client.peak
        self.record.connections_short = self._client.short
        self.record.resent = self._client.resent
        self._client.close()

    def _done(self, index: int, outcome: Response | Failure) -> None:
        now_s = self.now_s
        _, sample = self._open.pop(index)
        if isinstance(outcome, Failure):
            self.record.broke(index, outcome.why, now_s=now_s, timeout_s=self._timeout_s)
        else:
            self.record.answered(index, outcome, now_s=now_s)
            if sample.label and outcome.status == 200:
                self.record.scored(index, correct=self._label(outcome.body) == sample.label)
        self._ended(index)

    def _sweep(self) -> None:
        """Give up what is past its limit: the oldest come first, as all have the same one."""
        now_s = self.now_s
        while self._open and self._oldest_limit_s() <= now_s:
            index, _ = self._open.popitem(last=False)
            self._client.abandon(index)
            self.record.timed_out(index, f"no answer within {self._timeout_s:g} s", now_s=now_s)
            self._ended(index)
        self._sweeper = self._loop.call_at(self.began_s + self._oldest_limit_s(), self._sweep) if self._open else None

    def _oldest_limit_s(self) -> float:
        limit_s, _ = next(iter(self._open.values()))
        return limit_s


def drawn(samples: Sequence[Sample], count: int, *, seed: int) -> list[Sample]:
    """So many samples, each as likely as any other, the same for the same seed."""
    # Not the seed of the arrivals: gaps and lengths would follow each other.
    return Random(seed + 1).choices(samples, k=count)
