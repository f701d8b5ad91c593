"""The accuracy budget: whatever the bursts, the share of answers that differ stays within it on average."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.plan import Cut
from phalanx_server.batching.budget import Budget, BudgetPolicy, keep_budget, loss, losses_of
from phalanx_server.batching.burst import Bounds
from tests.server.artifacts import TEXTS, ensemble, make_plan, save_ensemble
from tests.server.conftest import Start
from tests.server.waiting import until

shares = st.floats(0, 1)
agreements = st.lists(shares, max_size=8).map(tuple)
losses = agreements.map(losses_of)
allowances = st.floats(0, 0.5)
WINDOW_S = 60.0


def policy_of(known: Sequence[float], allowed: float | None, *, texts: int = 64) -> BudgetPolicy:
    return BudgetPolicy(losses=known, allowed=allowed, window_s=WINDOW_S, texts=texts)


@given(agreements)
def test_more_students_never_cost_more_and_all_of_them_nothing(agreement: tuple[float, ...]) -> None:
    known = losses_of(agreement)
    assert len(known) == len(agreement)
    assert list(known) == sorted(known, reverse=True)
    assert all(cost >= 1 - agrees for cost, agrees in zip(known[:-1], agreement, strict=False))
    assert known[-1:] in ((), (0.0,))


batches = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 64), st.integers(1, 8)), max_size=80)


@given(agreements.filter(bool), allowances, batches, st.integers(1, 8))
def test_the_average_stays_within_the_budget_at_all_times(
    agreement: tuple[float, ...], allowed: float, steps: list[tuple[float, int, int]], floor: int
) -> None:
    """`wanted` is what a burst asks for: anything from the floor up to all students."""
    policy, budget, now_s = policy_of(losses_of(agreement), allowed), Budget(), 0.0
    plan = Bounds(floor=min(floor, len(agreement)), ceiling=len(agreement))
    for wait_s, texts, wanted in steps:
        now_s += wait_s
        budget, bounds = keep_budget(budget, plan, policy, now_s=now_s)
        students = min(max(wanted, bounds.floor), bounds.ceiling)
        budget = budget.charged(texts=texts, students=students, policy=policy)
        assert budget.differing <= allowed * budget.texts + 1e-6


@given(losses, allowances, st.integers(1, 8), st.integers(1, 8), st.floats(0, 1e5), st.floats(0, 1e5), st.booleans())
def test_the_floor_rises_within_the_plans_bounds_and_never_falls_below_them(
    known: tuple[float, ...], allowed: float, one: int, other: int, texts: float, differing: float, spent: bool
) -> None:
    plan = Bounds(floor=min(one, other), ceiling=max(one, other))
    before = Budget(texts=texts, differing=differing, spent=spent)
    _, bounds = keep_budget(before, plan, policy_of(known, allowed), now_s=0)
    assert plan.floor <= bounds.floor <= bounds.ceiling == plan.ceiling
    assert keep_budget(before, plan, policy_of(known, None), now_s=0)[1] == plan


@given(losses, allowances, st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5), st.booleans())
def test_what_was_spent_never_lowers_the_floor(
    known: tuple[float, ...], allowed: float, texts: float, differing: float, more: float, spent: bool
) -> None:
    plan, policy = Bounds(floor=1, ceiling=8), policy_of(known, allowed)
    less = Budget(texts=texts, differing=differing, spent=spent)
    after = Budget(texts=texts, differing=differing + more, spent=spent)
    assert keep_budget(less, plan, policy, now_s=0)[1].floor <= keep_budget(after, plan, policy, now_s=0)[1].floor


FOUR = losses_of((0.90, 0.96, 0.98, 1.0))
PLAN = Bounds(floor=1, ceiling=4)
POLICY = policy_of(FOUR, 0.05)


def serve(budget: Budget, *, seconds: int, wanted: int, start_s: float) -> tuple[Budget, list[int]]:
    """Ten batches of twenty texts a second."""
    counts = []
    for step in range(10 * seconds):
        budget, bounds = keep_budget(budget, PLAN, POLICY, now_s=start_s + step / 10)
        counts.append(max(wanted, bounds.floor))
        budget = budget.charged(texts=20, students=counts[-1], policy=POLICY)
    return budget, counts


def test_a_burst_spends_what_calm_has_earned_and_then_keeps_to_what_lasts() -> None:
    calm, counts = serve(Budget(), seconds=120, wanted=4, start_s=0)
    assert set(counts) == {4}
    after, counts = serve(calm, seconds=300, wanted=1, start_s=120)
    assert counts[:300] == [1] * 300, "half a minute of one student at twice the allowed share"
    assert counts[-1] == 2, "which differs on less than the allowed share"
    assert sum(earlier != later for earlier, later in itertools.pairwise(counts)) <= 3
    assert after.share_left(0.05) >= 0


def test_the_floor_falls_again_once_a_fourth_is_back() -> None:
    spent, _ = serve(Budget(), seconds=60, wanted=1, start_s=0)
    assert spent.spent
    later, counts = serve(spent, seconds=120, wanted=4, start_s=60)
    assert keep_budget(later, PLAN, POLICY, now_s=180)[1] == PLAN
    assert later.share_left(0.05) > 0.25
    assert set(counts) == {4}


def test_a_new_worker_has_earned_nothing() -> None:
    assert keep_budget(Budget(), PLAN, POLICY, now_s=0)[1].floor == 2


def test_an_unmeasured_artifact_costs_nothing() -> None:
    assert loss(losses_of(()), 1) == 0.0
    assert keep_budget(Budget(), PLAN, policy_of((), 0.0), now_s=0)[1] == PLAN


@pytest.mark.parametrize("allowed", [0.04, 1 - 0.96])
def test_students_that_differ_on_just_the_allowed_share_may_always_go_on(allowed: float) -> None:
    assert keep_budget(Budget(), PLAN, policy_of(FOUR, allowed), now_s=0)[1].floor == 2


def test_time_alone_changes_no_share() -> None:
    spent, _ = serve(Budget(), seconds=5, wanted=1, start_s=0)
    later = spent.at(1000, window_s=WINDOW_S)
    assert later.share_left(0.05) == pytest.approx(spent.share_left(0.05))
    assert Budget().share_left(0.05) == 1.0


async def test_a_worker_keeps_to_the_budget_in_a_burst_and_shows_what_it_spends(tmp_path: Path, start: Start) -> None:
    """The objective cannot be met, so that the guard asks for the fewest students that it may have."""
    saved = save_ensemble(tmp_path / "grid", agreement=(0.25, 0.75, 1.0))
    cut = Cut(students_floor=1, burst_loss=0.5)
    plan = make_plan(ensemble("films", saved, cut=cut), objective_s=1e-6)
    async with start(plan, queue_min_tokens=10_000) as running:
        answers = await asyncio.gather(*(running.post("/predict", {"inputs": list(TEXTS)}) for _ in range(5)))

        async def counted() -> bool:
            exposition = await running.metrics()
            spent = f'phalanx_accuracy_spent_total{{ensemble="films"}} {0.25 * 5 * len(TEXTS)}\n' in exposition
            return spent and 'phalanx_accuracy_budget_left_ratio{ensemble="films"} 0.5\n' in exposition

        await until(counted)
        await running.swap(make_plan(ensemble("films", saved, cut=Cut()), objective_s=1e-6))
        _, _, without = await running.post("/predict", {"inputs": list(TEXTS)})
    assert {(status, headers["X-Phalanx-Students"]) for status, _, headers in answers} == {(200, "2")}
    assert without["X-Phalanx-Students"] == "1", "no budget, no bound but the floor"
