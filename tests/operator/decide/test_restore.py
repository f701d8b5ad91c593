"""What an operator makes of status and plan that another one left behind, who may have died between the two."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from phalanx_contract.plan import Candidate, Ensemble
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.restore import restore_rollout
from phalanx_operator.decide.rolledout import rollout_status
from phalanx_operator.decide.types import Action, DecisionReason, RolloutState, Stage
from tests.operator.decide.rollouts import (
    CANARY,
    COLD,
    NEW,
    NEWER,
    OLD,
    ON_TRIAL,
    PLAIN,
    SERVES,
    TRIED,
    WARM,
    WARMING,
    counted,
    decide,
    seen,
    stories,
)


def planned(state: RolloutState) -> Ensemble:
    """What the plan has of it."""
    assert state.serving is not None
    candidate = None if state.candidate is None else Candidate(artifact=state.candidate)
    return Ensemble(name="mood", artifact=state.serving, candidate=candidate, alone=state.alone)


def told(state: RolloutState) -> dict[str, object]:
    """The status that tells of it."""
    return {"rollout": rollout_status(state, Sight(), CANARY, since="1970-01-01T00:00:00Z")}


@given(stories())
def test_what_was_planned_last_is_gone_on_with_also_where_the_status_could_not_be_written(story):
    before = state = SERVES
    for policy, sight, now in story:
        before, state = state, decide(policy, sight, state, now=now).state
        again = restore_rollout(told(before), planned=planned(state))
        assert (again.serving, again.alone) == (state.serving, state.alone)
        if before.rejected is None or before.rejected.artifact != state.candidate:
            assert again.candidate == state.candidate
        assert (again.candidate is None) == (again.stage in (Stage.SERVING, Stage.ROLLED_BACK))
        assert again.students or not state.students or state.serving not in (before.serving, before.candidate)


def test_a_promotion_whose_status_was_lost_stands():
    state = restore_rollout(told(ON_TRIAL), planned=planned(replace(SERVES, serving=NEW)))
    assert (state.serving, state.candidate, state.stage) == (NEW, None, Stage.SERVING)
    nobody_reports = decide(replace(TRIED, wanted=NEWER, generation=3), Sight(exists=True), state)
    assert nobody_reports.state.serving == NEW, "workers held it, so it is protected"
    assert decide(TRIED, replace(seen(COLD), students=0), state).reason is DecisionReason.ARTIFACT_CURRENT


def test_a_trial_that_the_plan_has_no_more_is_not_gone_on_with_but_begins_anew():
    for before in (WARMING, ON_TRIAL, replace(WARMING, counted_s=99.0)):
        state = restore_rollout(told(before), planned=planned(SERVES))
        assert (state.serving, state.candidate, state.stage, state.students) == (OLD, None, Stage.SERVING, 4)
        agreed = seen(WARM, compared=counted(200, 200))
        again = decide(TRIED, agreed, state, now=1000.0)
        assert (again.action, again.state.stage, again.state.since) == (Action.START, Stage.WARMING, 1000.0)


def test_a_trial_that_only_the_plan_knows_has_its_whole_deadline():
    state = restore_rollout(told(SERVES), planned=planned(replace(WARMING, alone=("gpus-a",))))
    assert (state.candidate, state.stage, state.alone) == (NEW, Stage.WARMING, ("gpus-a",))
    assert decide(PLAIN, seen(COLD), state, now=1000.0).state.since == 1000.0


def test_what_was_rolled_back_stays_so_where_the_plan_without_it_was_refused():
    back = decide(PLAIN, seen(COLD), replace(WARMING, since=-200.0)).state
    assert back.stage is Stage.ROLLED_BACK
    state = restore_rollout(told(back), planned=planned(WARMING))
    assert decide(PLAIN, seen(WARM), state).reason is DecisionReason.CANDIDATE_STUCK
    assert decide(replace(PLAIN, generation=3), seen(WARM), state).state.candidate == NEW
