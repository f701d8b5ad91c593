"""A finished batch in the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract import metrics as names
from phalanx_server.answers import FINAL
from phalanx_server.engine.batch_run import RampReading
from phalanx_server.engine.work import Work
from phalanx_server.metrics import Metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRecord:
    """What one batch did. `exits` maps the place in the batch to the row of its ramp.

    `differing` answers are expected to differ from those of all students; `budget_left` is the share of the accuracy
    budget that remains, None where there is no budget.
    """

    ensemble: str
    students: int
    works: Sequence[Work]
    padded_tokens: int
    exits: dict[int, int]
    ramps: Sequence[RampReading]
    start_s: float
    seconds: float
    differing: float
    budget_left: float | None


def record_batch(metrics: Metrics, batch: BatchRecord) -> None:
    """Count a batch that ran to its end."""
    ensemble, students = batch.ensemble, batch.students
    real = sum(work.item.tokens for work in batch.works)
    metrics.observe(names.BATCH_SECONDS, ensemble, students, values=batch.seconds)
    metrics.inc(names.BATCH_TOKENS, ensemble, students, by=batch.padded_tokens)
    metrics.inc(names.PADDING_TOKENS, ensemble, by=batch.padded_tokens - real)
    metrics.inc(names.BUSY_SECONDS, by=batch.seconds)
    metrics.set(names.STUDENTS, ensemble, to=students)
    metrics.inc(names.ANSWERS, ensemble, students, by=len(batch.works))
    metrics.inc(names.ACCURACY_SPENT, ensemble, by=batch.differing)
    if batch.budget_left is not None:
        metrics.set(names.ACCURACY_BUDGET_LEFT, ensemble, to=batch.budget_left)
    waited_s = [max(batch.start_s - work.item.arrival_s, 0.0) for work in batch.works]
    metrics.observe(names.QUEUE_SECONDS, ensemble, values=waited_s)
    rows = Counter[object](batch.exits.get(place, FINAL) for place in range(len(batch.works)))
    for row, count in rows.items():
        metrics.inc(names.EXITS, ensemble, row, by=count)
    for ramp in batch.ramps:
        for agrees in (True, False):
            chosen = ramp.scores[ramp.agrees == agrees]
            metrics.observe(names.RAMP_SCORE, ensemble, ramp.row, str(agrees).lower(), values=chosen)
