"""The closed loop: a fixed number of requests is always open. Finds the throughput at saturation, never latency."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from phalanx_load.run.exchange import Exchange
from phalanx_load.run.open_loop import Load
from phalanx_load.run.record import Record


@dataclass(frozen=True, slots=True)
class Saturation:
    """A closed-loop run: what came back, and the seconds from the first request to the last answer."""

    record: Record
    seconds: float

    @property
    def answered_per_s(self) -> float:
        """Requests a second with status 200."""
        return sum(status == 200 for status in self.record.status) / self.seconds


async def saturate(
    load: Load, *, requests: int, in_flight: int, watch: Callable[[int, int], None] | None = None
) -> Saturation:
    """Send the samples in their order, round and round, each as an earlier one is answered.

    `watch` gets the number of outcomes and of requests. Request i carries sample i modulo their number.
    """
    finished, numbers, over = asyncio.Event(), itertools.count(), itertools.count(1)
    record = Record([0.0] * requests)

    def send() -> None:
        index = next(numbers)
        if index < requests:
            record.due_s[index] = exchange.now_s
            exchange.send(index, load.samples[index % len(load.samples)])

    def ended(_: int) -> None:
        count = next(over)
        if watch is not None:
            watch(count, requests)
        send()
        if count == requests:
            finished.set()

    exchange = Exchange(load.target, record, connections=load.connections, timeout_s=load.timeout_s, ended=ended)
    try:
        exchange.began_s = asyncio.get_running_loop().time()
        for _ in range(min(in_flight, requests)):
            send()
        await finished.wait()
        return Saturation(record, exchange.now_s)
    finally:
        exchange.close()
