"""One turn of the engine: choose a batch and its students, run it, count it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from phalanx_contract import metrics as names
from phalanx_contract.plan import Cut
from phalanx_server.batching.budget import BudgetPolicy, loss
from phalanx_server.batching.burst import BurstPolicy
from phalanx_server.batching.room import BatchLimits
from phalanx_server.engine.batch_run import BatchRun
from phalanx_server.engine.lanes import Lane, Lanes
from phalanx_server.engine.record import BatchRecord, record_batch
from phalanx_server.engine.work import Orders, Results, Work
from phalanx_server.metrics import Metrics
from phalanx_server.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A batch, the cut that it runs under, and what it may cost."""

    lane: Lane
    works: list[Work]
    students: int
    cut: Cut
    spending: BudgetPolicy
    plan: str


def choose(lane: Lane, lanes: Lanes, orders: Orders, settings: Settings, *, now_s: float) -> Turn:
    """Take the lane's next batch. The plan is read here, once, so that a swap falls between batches."""
    cut = orders.cut(lane.model)
    others = [(other, orders.cut(other.model)) for other in lanes if other is not lane]
    batch_s = orders.objective_s * settings.batch_share
    policy = BurstPolicy(objective_s=orders.objective_s, batch_s=batch_s, raise_after_s=settings.raise_after_s)
    spending = BudgetPolicy(
        losses=lane.losses,
        allowed=cut.burst_loss,
        window_s=settings.accuracy_window_s,
        texts=settings.batch_texts,
    )
    students = lane.pick(cut, others, policy=policy, spending=spending, now_s=now_s)
    fitting = lane.capacity.tokens_within(students=students, seconds=batch_s)
    limits = BatchLimits(
        tokens=min(settings.batch_tokens, fitting), texts=settings.batch_texts, padding=settings.batch_padding
    )
    works = lane.claim(lane.room.take(limits))
    return Turn(lane=lane, works=works, students=students, cut=cut, spending=spending, plan=orders.plan)


def compute(turn: Turn, metrics: Metrics, post: Callable[[Results], None]) -> None:
    """Run the batch; answers are posted as they come."""
    lane, start_s = turn.lane, time.monotonic()
    run = BatchRun(
        lane.model,
        turn.works,
        students=turn.students,
        thresholds=turn.cut.thresholds,
        plan=turn.plan,
        clock=time.monotonic,
    )
    for done in run:
        post(Results(done))
        now_s = time.monotonic()
        latencies_s = [max(now_s - work.item.arrival_s, 0.0) for work, _ in done]
        metrics.observe(names.REQUEST_SECONDS, lane.model.name, values=latencies_s)
    record_batch(metrics, _account(turn, run, start_s=start_s, seconds=time.monotonic() - start_s))


def _account(turn: Turn, run: BatchRun, *, start_s: float, seconds: float) -> BatchRecord:
    """What the lane learns of a batch that ran to its end, and what is left to count."""
    lane, works, spending = turn.lane, turn.works, turn.spending
    # Without padding: what arrives and what waits is counted so too.
    lane.learn(students=turn.students, tokens=sum(work.item.tokens for work in works), seconds=seconds)
    lane.spend(texts=len(works), students=turn.students, spending=spending)
    return BatchRecord(
        ensemble=lane.model.name,
        students=turn.students,
        works=works,
        padded_tokens=run.padded_tokens,
        exits=run.exits,
        ramps=run.ramps,
        start_s=start_s,
        seconds=seconds,
        differing=len(works) * loss(spending.losses, turn.students),
        budget_left=None if spending.allowed is None else lane.budget.share_left(spending.allowed),
    )
