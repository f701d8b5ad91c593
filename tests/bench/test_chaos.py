"""The chaos script: its plan is a seed's and strikes everything, and no broken promise passes for a kept one."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.chaos.command import figures
from bench.chaos.levels import Level
from bench.chaos.plan import SHORT, WHOLE, Fault, plan
from bench.chaos.rows import CONVERGED_WITHIN_S, Change, Requests, Row, count
from bench.chaos.table import markdown, table_of
from tests.e2e.traffic import Outcome, Sent

KEPT = Row(
    fault=Fault.WORKER,
    down_s=0.8,
    requests=Requests(answered=900, unreached=3, inside=5),
    students=Change(held=3, lowest=3),
    workers=Change(held=3, lowest=3),
    converged_s=9.5,
)
seeds, rounds, paces = st.integers(), st.integers(1, 6), st.sampled_from([WHOLE, SHORT])
outcomes = st.sampled_from([each for each in Outcome if each is not Outcome.OPEN])


@given(seed=seeds, rounds=rounds, pace=paces)
def test_every_fault_strikes_once_in_every_round(seed, rounds, pace):
    strikes = plan(seed=seed, rounds=rounds, pace=pace)
    for start in range(0, len(strikes), len(Fault)):
        assert {each.fault for each in strikes[start : start + len(Fault)]} == set(Fault)
    assert len(strikes) == rounds * len(Fault)


@given(seed=seeds, rounds=rounds, pace=paces)
def test_moments_are_within_the_pace_and_the_same_for_the_same_seed(seed, rounds, pace):
    strikes = plan(seed=seed, rounds=rounds, pace=pace)
    assert strikes == plan(seed=seed, rounds=rounds, pace=pace)
    for each in strikes:
        assert pace.calm_s[0] <= each.calm_s <= pace.calm_s[1]
        assert pace.down_s[0] <= each.down_s <= pace.down_s[1]
        assert 0 <= each.which < 1


def test_seeds_strike_in_different_orders():
    orders = {tuple(each.fault for each in plan(seed=seed, rounds=1)) for seed in range(50)}
    assert len(orders) > 10


@given(st.lists(st.tuples(outcomes, st.sampled_from(["a", "b", ""]), st.floats(0, 10)), max_size=30))
def test_every_request_is_counted_once_and_only_those_of_the_killed_worker_are_excused(sent):
    found = count([Sent(at=at, pod=pod, outcome=outcome) for outcome, pod, at in sent], killed="a", at=5.0)
    assert found.sent == len(sent)
    failures = [(pod, at) for outcome, pod, at in sent if outcome not in (Outcome.ANSWERED, Outcome.REFUSED)]
    assert found.inside == sum(pod == "a" and at <= 5 for pod, at in failures)
    assert found.unreached == sum(pod == "a" and at > 5 for pod, at in failures)
    assert found.lost == sum(pod != "a" for pod, _ in failures)


@given(outcomes.filter(lambda each: each not in (Outcome.ANSWERED, Outcome.REFUSED)))
def test_where_no_worker_was_killed_every_failure_is_a_loss(outcome):
    assert count([Sent(at=1.0, pod="a", outcome=outcome), Sent(at=1.0, outcome=outcome)]).lost == 2


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.none() | st.integers(1, 5)), max_size=20), st.integers(1, 5))
def test_the_lowest_level_is_the_least_that_any_source_ever_said(notes, first):
    level, said = Level(), {"first": first}
    level.note("first", first, at=0.0)
    least = first
    for at, (source, value) in enumerate(notes, 1):
        level.note(source, value, at=float(at))
        said = {**said, source: value} if value is not None else {k: v for k, v in said.items() if k != source}
        least = min(least, *said.values())
    assert level.before(0.5) == first
    assert level.lowest(0.5, 1000.0) == least


def test_a_level_that_nobody_has_told_of_is_no_number():
    with pytest.raises(LookupError):
        Level().before(1.0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (KEPT, ()),
        (replace(KEPT, requests=Requests(answered=900, lost=2)), ("lost 2",)),
        (replace(KEPT, students=Change(held=3, lowest=1)), ("students fell",)),
        (replace(KEPT, workers=Change(held=3, lowest=2)), ("workers fell",)),
        (replace(KEPT, converged_s=None), ("did not converge",)),
        (replace(KEPT, converged_s=CONVERGED_WITHIN_S + 0.1), ("converged after 30 s",)),
    ],
    ids=["kept", "lost a request", "dropped a student", "dropped a worker", "never converged", "converged late"],
)
def test_a_row_names_the_promises_that_it_broke(row, said):
    assert row.broken == said
    console = Console(file=io.StringIO(), width=140)
    console.print(table_of([row]))
    assert (said[0] if said else "kept") in console.file.getvalue()


def test_figures_sum_up_the_strikes_of_each_fault_and_the_page_shows_the_worst():
    rows = [replace(KEPT, fault=fault, converged_s=seconds) for fault in Fault for seconds in (4.0, 8.0)]
    rows[0] = replace(rows[0], workers=Change(held=3, lowest=2), requests=Requests(answered=10, lost=4))
    found = {name: asdict(each) for name, each in figures(rows).items()}
    assert Counter(name.partition(":")[0] for name in found).keys() == {fault.name for fault in Fault}
    first = rows[0].fault
    assert found[f"{first.name}:lost"]["value"] == 4
    assert found[f"{first.name}:workers"]["value"] == 1
    table = markdown(found)
    assert f"| {first} | 2 | 922 | 4 |" in table
    assert "| 0, 1 | 6.0 s (8.0) |" in table
