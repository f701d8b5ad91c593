"""What is written for workers of two releases: never a word that one of them would refuse the whole plan for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.revisions import FIRST_REVISION, PLAN_REVISION, withheld
from phalanx_contract.worker import WorkerStatus
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.decide.understanding import NOTHING, for_all, learn
from tests.contract.strategies import plans

revisions = st.dictionaries(st.sampled_from("abc"), st.integers(FIRST_REVISION, PLAN_REVISION + 1))


@given(plans, revisions)
def test_every_worker_understands_all_of_the_plan(plan, known):
    words, left_out = for_all(plan, known)
    assert all(withheld(words, revision) == frozenset() for revision in known.values())
    assert left_out.ensembles == (withheld(plan, min(known.values())) if known else frozenset())
    assert not left_out.ensembles or known[left_out.worker] == min(known.values())


@given(plans, revisions.filter(lambda known: min(known.values(), default=PLAN_REVISION) >= PLAN_REVISION))
def test_nothing_is_left_out_where_all_workers_are_of_this_release_or_none_has_reported(plan, known):
    assert for_all(plan, known) == (plan, NOTHING)


def worker(name: str, revision: int | None) -> WorkerView:
    report = None if revision is None else WorkerStatus(plan_revision=revision)
    return WorkerView(name=name, ready=True, report=report)


def test_a_worker_that_does_not_answer_reads_what_it_did_before_and_one_that_is_gone_is_forgotten():
    known = learn([worker("old", 1), worker("new", 2), worker("silent", None)], {})
    assert known == {"old": 1, "new": 2}
    assert learn([worker("old", None), worker("new", 2)], known) == known
    assert learn([worker("new", 2)], known) == {"new": 2}
