"""A new artifact in workers without room for two, in their reports, and in statuses of other releases."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.plan import Artifact, Ensemble, candidate_name
from phalanx_contract.revisions import PLAN_REVISION
from phalanx_contract.worker import Comparison, EnsembleReport, LoadState, WorkerStatus
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.demand import with_candidates
from phalanx_operator.decide.loaded import Held
from phalanx_operator.decide.restore import restore_rollout, restore_students
from phalanx_operator.decide.types import (
    Action,
    DecisionReason,
    EnsembleMetrics,
    Observation,
    RolloutState,
    Stage,
    WorkerView,
)
from tests.operator.decide.rollouts import (
    COLD,
    CORRUPT,
    CROWDED,
    NEW,
    NEWER,
    OLD,
    PLAIN,
    SERVES,
    TRIED,
    WARM,
    WARMING,
    counted,
    decide,
    seen,
    sights,
)


def crowd(*serving: str, **held: Held) -> Sight:
    """Workers by name, and those that serve."""
    return replace(seen(*held.values()), names=tuple(held), serving=frozenset(serving))


def test_without_room_for_both_one_worker_at_a_time_goes_over_while_another_one_serves():
    first = decide(PLAIN, crowd("x", "y", x=CROWDED, y=CROWDED), WARMING, now=50.0)
    assert (first.action, first.reason, first.state.alone) == (Action.START, DecisionReason.ONE_BY_ONE, ("x",))
    assert "x has no room for two" in first.message and "1 go on serving" in first.message
    told = crowd("x", "y", x=CROWDED, y=CROWDED)
    loading, unready = crowd("y", x=COLD, y=CROWDED), crowd("y", x=WARM, y=CROWDED)
    for on_its_way in (told, loading, unready):
        assert decide(PLAIN, on_its_way, first.state, now=60.0).state.alone == ("x",)
    second = decide(PLAIN, crowd("x", "y", x=WARM, y=CROWDED), first.state, now=120.0)
    assert second.state.alone == ("x", "y"), "each has the whole deadline"
    done = decide(PLAIN, crowd("x", "y", x=WARM, y=WARM), second.state, now=200.0)
    assert (done.action, done.state.serving, done.state.alone) == (Action.PROMOTE, NEW, ())


@given(sights(), st.lists(st.sampled_from("xyz"), unique=True).map(tuple), st.booleans())
def test_no_worker_lets_go_of_what_it_serves_where_no_other_serves_nor_while_another_one_does(sight, alone, back):
    state = replace(SERVES if back else WARMING, alone=alone)
    policy = replace(PLAIN, wanted=OLD) if back else PLAIN
    after = decide(policy, sight, state).state.alone
    new = set(after) - set(alone)
    assert len(new) <= 1
    if new:
        assert sight.serving - new
        assert all(name in sight.serving for name in alone)


def test_a_lonely_worker_without_room_and_a_canary_wait_for_the_deadline():
    lonely = decide(PLAIN, crowd("x", x=CROWDED), WARMING)
    assert (lonely.reason, lonely.state.alone) == (DecisionReason.CANDIDATE_WARMING, ())
    assert "use a smaller artifact, or a pool with more memory" in lonely.message
    assert decide(TRIED, crowd("x", "y", x=CROWDED, y=WARM), WARMING).state.alone == ()


def test_workers_that_had_gone_over_come_back_one_by_one():
    stuck = decide(PLAIN, crowd("x", "y", x=WARM, y=CORRUPT), replace(WARMING, alone=("x",)), now=101.0)
    assert (stuck.reason, stuck.state.alone) == (DecisionReason.CANDIDATE_STUCK, ())
    back = decide(PLAIN, replace(crowd("x", "y", x=WARM, y=COLD), stranded=("x",)), stuck.state, now=102.0)
    assert (back.reason, back.state.alone) == (DecisionReason.ONE_BY_ONE, ("x",))
    there = decide(PLAIN, crowd("x", "y", x=COLD, y=COLD), back.state, now=103.0)
    assert (there.reason, there.state.alone) == (DecisionReason.CANDIDATE_STUCK, ())


def worker(name: str, *reports: EnsembleReport, ready: bool = True, draining: bool = False) -> WorkerView:
    status = WorkerStatus(ensembles=reports, draining=draining, plan_revision=PLAN_REVISION)
    return WorkerView(name=name, ready=ready, report=status)


def report(name: str, artifact: Artifact, compared: Comparison | None = None) -> EnsembleReport:
    return EnsembleReport(
        name=name,
        wanted_digest=artifact.digest,
        digest=artifact.digest,
        state=LoadState.SERVING,
        students=4,
        compared=compared,
    )


def test_workers_are_seen_with_the_candidate_beside_or_in_its_place_and_their_counts_added():
    beside = candidate_name("mood")
    sight = Sight.of(
        [
            worker("a", report("mood", OLD), report(beside, NEW, counted(10, 9))),
            worker("b", report("mood", NEW)),
            worker("c", report("mood", OLD), report(beside, NEWER, counted(10, 9))),
            worker("d", report("mood", OLD), draining=True),
            worker("e", report("mood", OLD), report(beside, NEW, counted(30, 21)), ready=False),
            WorkerView(name="f", ready=True),
            WorkerView(name="g", ready=False),
        ],
        "mood",
        wanted=NEW,
        serving=OLD,
    )
    assert [each.state for each in sight.held] == ["Serving", "Serving", "Loading", "Serving"]
    assert (sight.warm, sight.silent, sight.students, sight.next_students) == (3, 1, 4, 4)
    assert (sight.compared.texts, sight.compared.agreeing) == (40, 30)


def test_a_status_of_an_older_release_goes_on_with_what_is_in_the_plan():
    assert restore_rollout({}, planned=Ensemble(name="mood", artifact=OLD)) == RolloutState(serving=OLD)
    assert restore_rollout({}, planned=None) == RolloutState()
    lost = {"rollout": {"stage": "Warming", "serving": {"uri": OLD.uri, "digest": OLD.digest, "students": 2}}}
    assert restore_rollout(lost, planned=None) == RolloutState(serving=OLD, students=2)


def test_students_are_restored_for_the_artifact_that_serves():
    shown = {"serving": {"uri": OLD.uri, "digest": OLD.digest, "students": 2}}
    status = {"rollout": shown, "artifact": {"wanted": NEW.digest}, "students": {"floor": 1, "ceiling": 2}}
    assert restore_students(status, now=1.0).digest == OLD.digest
    del status["rollout"]
    assert restore_students(status, now=1.0).digest == NEW.digest


def test_what_a_candidate_answers_is_load_of_its_ensemble():
    both = {"mood": EnsembleMetrics(tokens_per_s=90.0), candidate_name("mood"): EnsembleMetrics(tokens_per_s=10.0)}
    whole = with_candidates(Observation(at=0.0, workers=1, ensembles=both))
    assert dict(whole.ensembles) == {"mood": EnsembleMetrics(tokens_per_s=100.0)}
    unknown = {**both, "mood": EnsembleMetrics()}
    assert with_candidates(Observation(at=0.0, workers=1, ensembles=unknown)).ensembles["mood"].tokens_per_s is None


def test_a_status_of_a_later_release_is_gone_on_from_as_far_as_it_is_understood():
    old, new = ({"uri": each.uri, "digest": each.digest} for each in (OLD, NEW))
    shown = {"stage": "Shadowed", "serving": {**old, "students": 2}, "candidate": new}
    state = restore_rollout({"rollout": shown}, planned=None)
    assert (state.stage, state.serving, state.candidate) == (Stage.WARMING, OLD, NEW)
    rejected = {**new, "generation": 2, "reason": "ShadowDiffers", "message": "it differs"}
    state = restore_rollout({"rollout": {"stage": "Given up", "serving": old, "rejected": rejected}}, planned=None)
    assert (state.stage, state.serving, state.rejected and state.rejected.artifact) == (Stage.SERVING, OLD, NEW)
