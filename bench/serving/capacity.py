"""Throughput at saturation: over HTTP, and of the engine alone on the batches that the worker made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from bench.serving.bare import BareEngine
from bench.serving.measured import FIXED, Measured, Round
from bench.serving.scale import OBJECTIVE_S, Scale
from bench.serving.worker import Worker
from phalanx_load import Load, Sample, Target, saturate
from phalanx_load.report.summary import OK, REFUSED
from phalanx_load.run.closed_loop import Saturation

FIRST_IN_FLIGHT: Final = 32
"""Requests in the closed loop before the rate is known; admission lets so many in, however slow the worker is."""
OBJECTIVES_IN_FLIGHT: Final = 1.0
"""And when it is known, what the worker answers in so many objectives: several batches, a fourth of what is let in."""


def measure_capacity(
    found: Measured,
    workers: Sequence[Worker],
    engine: BareEngine,
    samples: Sequence[Sample],
    *,
    scale: Scale,
    console: Console,
) -> None:
    """Rounds in which every worker, and after it the engine alone, has its turn."""
    rates: dict[str, float] = {}
    for worker in workers:
        # Every text once: warms the worker up, and tells what a round of so many seconds needs.
        first = _saturate(worker, samples, requests=len(samples), in_flight=FIRST_IN_FLIGHT)
        rates[worker.students.name] = first.answered_per_s
        if worker.students.name == FIXED:
            found.full_right = {sample: right == 1 for sample, right in zip(samples, first.record.correct, strict=True)}
    for number in range(scale.rounds):
        for worker in workers:
            each = _round(worker, engine, samples, rate=rates[worker.students.name], seconds=scale.round_s)
            found.rounds.setdefault(worker.students.name, []).append(each)
            console.print(
                f"capacity {number + 1}/{scale.rounds}, {worker.students.most} students: server {each.server:.0f}/s, "
                f"engine alone {each.engine:.0f}/s, ratio {each.ratio:.2f}, engine busy {each.busy:.0%}, "
                f"{each.batch_texts:.1f} texts a batch",
                highlight=False,
                soft_wrap=True,
            )


def _saturate(worker: Worker, samples: Sequence[Sample], *, requests: int, in_flight: int) -> Saturation:
    """A closed loop in which no request is lost. Should the machine slow down meanwhile, some may be refused."""
    load = Load(target=Target(url=worker.url), samples=samples)
    done = asyncio.run(saturate(load, requests=requests, in_flight=in_flight))
    statuses = set(done.record.status)
    if not statuses <= {OK, REFUSED}:
        raise RuntimeError(f"requests were lost at saturation: status {sorted(statuses)}, {done.record.failures}")
    return done


def _round(worker: Worker, engine: BareEngine, samples: Sequence[Sample], *, rate: float, seconds: float) -> Round:
    """So many seconds of texts at the expected rate, over HTTP and then without."""
    requests, in_flight = int(rate * seconds), max(FIRST_IN_FLIGHT, int(rate * OBJECTIVE_S * OBJECTIVES_IN_FLIGHT))
    mark, busy_s = worker.mark(), worker.busy_s()
    done = _saturate(worker, samples, requests=requests, in_flight=in_flight)
    busy_s, batches = worker.busy_s() - busy_s, worker.batches_since(mark)
    texts, answered = sum(map(len, batches)), done.record.status.count(OK)
    if texts != answered:
        raise RuntimeError(f"the worker recorded batches of {texts} texts for {answered} answers")
    return Round(
        server=done.answered_per_s,
        engine=texts / engine.seconds(batches, students=worker.students.most),
        busy=busy_s / done.seconds,
        batch_texts=texts / len(batches),
    )
