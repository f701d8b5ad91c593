"""The promises of the decision on a new artifact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_contract.plan import Artifact, candidate_name
from phalanx_contract.revisions import PLAN_REVISION
from phalanx_contract.worker import TRANSIENT, Comparison, EnsembleReport, LoadReason, LoadState, WorkerStatus
from phalanx_operator.api.types import Canary
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.demand import with_candidates
from phalanx_operator.decide.loaded import Held
from phalanx_operator.decide.restore import restore_rollout, restore_students
from phalanx_operator.decide.rolledout import rollout_status
from phalanx_operator.decide.rollout import RolloutPolicy, decide_rollout
from phalanx_operator.decide.types import (
    Action,
    Decision,
    DecisionReason,
    EnsembleMetrics,
    Observation,
    RolloutState,
    Stage,
    WorkerView,
)

OLD, NEW, NEWER = (Artifact(uri=f"file:///models/{c}", digest=f"sha256:{c * 64}") for c in "abc")
CANARY = Canary(weight=0.1, min_agreement=0.9, min_compared=100, max_latency_ratio=1.5, seconds=60)
PLAIN = RolloutPolicy(wanted=NEW, generation=2, deadline_s=100)
TRIED = replace(PLAIN, canary=CANARY)
SERVES = RolloutState(serving=OLD, students=4)
WARMING = replace(SERVES, candidate=NEW, stage=Stage.WARMING)
ON_TRIAL = replace(WARMING, stage=Stage.CANARY)
WARM, COLD = Held(LoadState.SERVING), Held(LoadState.LOADING)


def failed(reason: LoadReason) -> Held:
    return Held(LoadState.FAILED, reason, "grid.safetensors: was altered")


CROWDED = failed(LoadReason.OUT_OF_MEMORY)
CORRUPT, MISMATCH = failed(LoadReason.ARTIFACT_CORRUPT), failed(LoadReason.DIGEST_MISMATCH)


def seen(*held: Held, silent: int = 0, compared: Comparison | None = None) -> Sight:
    return Sight(
        held=held,
        exists=bool(held or silent),
        silent=silent,
        students=4,
        next_students=6,
        compared=compared or Comparison(),
    )


def unfit(count: int) -> Sight:
    """All workers hold it, and so many tenants would have no answer."""
    return replace(seen(WARM), unfit=count, unfit_tenant="acme")


def counted(texts: int, agreeing: int, *, ratio: float = 1.0) -> Comparison:
    return Comparison(texts=texts, agreeing=agreeing, candidate_s=ratio, serving_s=1.0)


def decide(policy: RolloutPolicy, sight: Sight, state: RolloutState, *, now: float = 1.0) -> Decision[RolloutState]:
    return decide_rollout(policy=policy, sight=sight, state=state, now=now)


held_states = st.sampled_from([WARM, COLD, CORRUPT, CROWDED, MISMATCH])
artifacts = st.sampled_from([OLD, NEW, NEWER])


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    texts = draw(st.integers(0, 300))
    return counted(texts, draw(st.integers(0, texts)), ratio=draw(st.floats(0.1, 3)))


@st.composite
def sights(draw: st.DrawFn) -> Sight:
    held = tuple(draw(st.lists(held_states, max_size=3)))
    names = tuple("xyz"[: len(held)])
    some = st.sets(st.sampled_from("xyz"))
    return Sight(
        held=held,
        exists=bool(held) or draw(st.booleans()),
        names=names,
        serving=frozenset(draw(some)),
        stranded=tuple(sorted(draw(some))),
        unfit=draw(st.sampled_from([0, 0, 0, 2])),
        unfit_tenant="acme",
        silent=draw(st.integers(0, 1)),
        students=draw(st.sampled_from([0, 4])),
        next_students=draw(st.sampled_from([0, 6])),
        compared=draw(comparisons()),
    )


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[RolloutPolicy, Sight, float]]:
    """What a spec names and what workers say, round by round."""
    rounds, now, generation = [], 0.0, 1
    wanted = draw(artifacts)
    canary = draw(st.sampled_from([Canary(), CANARY]))
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 4)) == 0:
            wanted, generation = draw(artifacts), generation + 1
        now += draw(st.floats(0, 60))
        policy = RolloutPolicy(wanted=wanted, generation=generation, canary=canary, deadline_s=100)
        rounds.append((policy, draw(sights()), now))
    return rounds


@settings(max_examples=300)
@given(stories())
def test_what_serves_changes_only_to_what_all_workers_that_are_ready_hold_and_never_to_a_failing_one(story):
    state = SERVES
    for policy, sight, now in story:
        step = decide(policy, sight, state, now=now)
        after = step.state
        assert after.serving is not None
        if after.serving != state.serving:
            assert step.action is Action.PROMOTE
            assert after.serving == policy.wanted == state.candidate
            assert sight.held and not sight.silent
            assert not sight.unfit, "no tenant loses its answers"
            assert all(each.state is LoadState.SERVING for each in sight.held)
        assert after.candidate != after.serving
        assert (after.candidate is None) == (after.stage in (Stage.SERVING, Stage.ROLLED_BACK))
        assert step.message
        state = after


@given(stories())
def test_what_was_rolled_back_is_not_tried_again_until_the_spec_changes(story):
    state, rolled_back = SERVES, set()
    for policy, sight, now in story:
        step = decide(policy, sight, state, now=now)
        tries = (policy.wanted, policy.generation)
        if step.action is Action.ROLL_BACK and step.state.rejected is not None:
            rolled_back.add(tries)
        elif tries in rolled_back:
            assert step.state.candidate is None
        state = step.state


@given(st.lists(sights().filter(lambda sight: sight.timed), min_size=1, max_size=5), st.booleans())
def test_it_comes_to_an_end_whatever_the_workers_say(said, with_canary):
    policy, state, now = (TRIED if with_canary else PLAIN), SERVES, 0.0
    for count in range(40):
        state = decide(policy, said[count % len(said)], state, now=now).state
        now += 20.0
    assert state.stage in (Stage.SERVING, Stage.ROLLED_BACK)
    assert state.candidate is None


@given(st.integers(100, 400), st.floats(0.1, 3), st.data())
def test_more_agreement_never_makes_it_worse(texts, ratio, data):
    few = data.draw(st.integers(0, texts))
    more = data.draw(st.integers(few, texts))
    low, high = (
        decide(TRIED, seen(WARM, compared=counted(texts, agreeing, ratio=ratio)), ON_TRIAL, now=61.0).action
        for agreeing in (few, more)
    )
    assert not (low is Action.PROMOTE and high is Action.ROLL_BACK)


@given(stories(), st.integers(0, 12))
def test_an_operator_that_restarts_goes_on_from_the_status(story, restart_after):
    state = again = SERVES
    for count, (policy, sight, now) in enumerate(story):
        # Statuses know whole seconds.
        at = float(int(now))
        state = decide(policy, sight, state, now=at).state
        again = decide(policy, sight, again, now=at).state
        if count == restart_after:
            since = f"1970-01-01T00:{int(again.since) // 60:02}:{int(again.since) % 60:02}Z"
            shown = rollout_status(again, sight, policy.canary, since=since)
            again = restore_rollout({"rollout": shown}, planned=None)
        assert again == state


Do, Why, BACK = Action, DecisionReason, Action.ROLL_BACK


def tried(texts: int, agreeing: int, *, ratio: float = 1.0) -> Sight:
    return seen(WARM, compared=counted(texts, agreeing, ratio=ratio))


@pytest.mark.parametrize(
    ("policy", "sight", "state", "now", "action", "reason", "says"),
    [
        (PLAIN, seen(COLD), SERVES, 1, Do.START, Why.NEW_ARTIFACT, "bbbbbbbbbbbb is loaded beside"),
        (PLAIN, seen(WARM, COLD), WARMING, 1, Do.STAY, Why.CANDIDATE_WARMING, "1 of 2 workers hold it warm"),
        (PLAIN, seen(WARM, CORRUPT), WARMING, 99, Do.STAY, Why.CANDIDATE_WARMING, "was altered; upload"),
        (PLAIN, seen(WARM, CORRUPT), WARMING, 101, BACK, Why.CANDIDATE_STUCK, "not warm after 100 s"),
        (PLAIN, seen(WARM, MISMATCH), WARMING, 1, BACK, Why.CANDIDATE_FAILED, "goes on serving"),
        (PLAIN, seen(WARM, WARM), WARMING, 1, Do.PROMOTE, Why.CANDIDATE_WARM, "2 of 2 workers hold it"),
        (PLAIN, seen(WARM, silent=1), WARMING, 1, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, seen(), WARMING, 1, Do.HOLD, Why.REPORTS_MISSING, "no worker reports"),
        (PLAIN, seen(silent=1), WARMING, 101, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, unfit(1), WARMING, 1000, Do.HOLD, Why.TENANTS_UNFIT, "acme would be answered no more"),
        (TRIED, unfit(3), ON_TRIAL, 1000, Do.HOLD, Why.TENANTS_UNFIT, "acme and 2 more would be"),
        (TRIED, seen(WARM), WARMING, 1, Do.START, Why.CANDIDATE_WARM, "answers 10% of the requests"),
        (TRIED, tried(99, 99), ON_TRIAL, 61, Do.STAY, Why.CANARY_RUNNING, "99 texts"),
        (TRIED, tried(200, 200), ON_TRIAL, 59, Do.STAY, Why.CANARY_RUNNING, "60 s"),
        (TRIED, tried(200, 195), ON_TRIAL, 60, Do.PROMOTE, Why.CANARY_AGREES, "97.5%"),
        (TRIED, tried(200, 179), ON_TRIAL, 60, BACK, Why.CANARY_DISAGREES, "89.5%"),
        (TRIED, tried(20, 5), ON_TRIAL, 2, BACK, Why.CANARY_DISAGREES, "25.0%"),
        (TRIED, tried(20, 17), ON_TRIAL, 2, Do.STAY, Why.CANARY_RUNNING, "20 texts"),
        (TRIED, tried(200, 200, ratio=1.6), ON_TRIAL, 60, BACK, Why.CANARY_SLOW, "1.60 times"),
        (TRIED, tried(99, 99), ON_TRIAL, 161, BACK, Why.CANARY_INCONCLUSIVE, "160 s"),
        (TRIED, seen(WARM, silent=1), ON_TRIAL, 61, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, seen(WARM), ON_TRIAL, 1, Do.PROMOTE, Why.CANDIDATE_WARM, "1 of 1 workers"),
        (replace(PLAIN, paused=True), seen(WARM), WARMING, 1, Do.HOLD, Why.PAUSED, "paused"),
        (replace(PLAIN, wanted=NEWER), seen(COLD), WARMING, 1, Do.START, Why.SPEC_CHANGED, "is let go"),
        (replace(PLAIN, wanted=OLD), seen(WARM), WARMING, 1, BACK, Why.SPEC_CHANGED, "again"),
        (replace(PLAIN, wanted=OLD), seen(WARM), SERVES, 1, Do.STAY, Why.ARTIFACT_CURRENT, "which serves"),
    ],
)  # fmt: skip
def test_each_step_says_why_with_its_numbers(policy, sight, state, now, action, reason, says):
    step = decide(policy, sight, state, now=float(now))
    assert (step.action, step.reason) == (action, reason)
    assert says in step.message


def test_a_first_artifact_serves_at_once_and_so_does_the_next_where_the_one_before_never_served():
    first = decide(PLAIN, Sight(), RolloutState())
    assert (first.state.serving, first.reason) == (NEW, DecisionReason.FIRST_ARTIFACT)
    mended = decide(replace(PLAIN, wanted=NEWER), Sight(held=(MISMATCH,)), first.state)
    assert mended.state.serving == NEWER
    served = decide(replace(PLAIN, wanted=NEWER), seen(WARM), first.state)
    assert (served.state.serving, served.state.candidate) == (NEW, NEWER), "now there is something to protect"


def test_a_pool_without_workers_waits_for_some_and_counts_the_time_from_then():
    state = decide(PLAIN, seen(), SERVES, now=0.0).state
    for now in (50.0, 500.0, 5000.0):
        step = decide(PLAIN, seen(), state, now=now)
        assert (step.action, step.reason) == (Action.HOLD, DecisionReason.REPORTS_MISSING)
        assert (step.state.candidate, step.state.since) == (NEW, 0.0), "and nothing is written again and again"
        state = step.state
    back = decide(PLAIN, seen(COLD), state, now=6000.0)
    assert (back.reason, back.state.since) == (DecisionReason.CANDIDATE_WARMING, 6000.0)
    assert decide(PLAIN, seen(COLD), back.state, now=6101.0).reason is DecisionReason.CANDIDATE_STUCK


def test_another_try_of_the_same_artifact_follows_a_change_of_the_spec():
    back = decide(PLAIN, seen(MISMATCH), WARMING)
    assert back.state.serving == OLD
    again = decide(PLAIN, seen(WARM), back.state)
    assert (again.action, again.reason, again.message) == (Action.STAY, back.reason, back.message)
    tried = decide(replace(PLAIN, generation=3), seen(COLD), back.state)
    assert (tried.state.candidate, tried.state.rejected) == (NEW, None)


@pytest.mark.parametrize("policy", [PLAIN, TRIED])
def test_what_serves_may_lie_elsewhere_from_now_on_without_a_trial(policy):
    moved = Artifact(uri="s3://models/a", digest=OLD.digest)
    step = decide(replace(policy, wanted=moved), seen(WARM), SERVES)
    assert (step.action, step.reason) == (Action.STAY, DecisionReason.ARTIFACT_CURRENT)
    assert step.state == replace(SERVES, serving=moved)
    refused = decide(replace(policy, wanted=moved, refusal="not below what the pool allows"), seen(WARM), SERVES)
    assert (refused.reason, refused.state.serving) == (DecisionReason.CANDIDATE_REFUSED, OLD)
    changed = decide(replace(policy, wanted=moved), seen(WARM), WARMING)
    assert (changed.reason, changed.state.candidate) == (DecisionReason.SPEC_CHANGED, None)


def test_a_canary_whose_predecessor_no_worker_can_load_any_more_is_not_rolled_back_to_that():
    lost = replace(seen(WARM, WARM), students=0)
    assert decide(TRIED, lost, ON_TRIAL, now=59.0).reason is DecisionReason.CANARY_RUNNING, "it may only be a moment"
    step = decide(TRIED, lost, ON_TRIAL, now=60.0)
    assert (step.action, step.state.serving) == (Action.PROMOTE, NEW)
    assert "2 of 2 workers hold it warm, and none holds the other" in step.message


def test_only_what_time_may_mend_waits_for_the_deadline():
    for reason in LoadReason:
        if reason:
            step = decide(PLAIN, seen(failed(reason)), WARMING)
            assert (step.action is Action.STAY) == (reason in TRANSIENT)


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
    assert restore_rollout({}, planned=OLD) == RolloutState(serving=OLD)
    assert restore_rollout({}, planned=None) == RolloutState()
    lost = {"rollout": {"stage": "Warming", "serving": {"uri": OLD.uri, "digest": OLD.digest, "students": 2}}}
    assert restore_rollout(lost, planned=NEW) == RolloutState(serving=OLD, students=2)


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


def test_a_candidate_that_its_workers_die_of_is_given_up_however_often_they_come_back():
    """They load what serves, report, load the candidate, and run out of memory; none of that starts the clock anew."""
    dying = Sight(exists=True)
    state = decide(PLAIN, seen(COLD), SERVES, now=0.0).state
    for now in range(1, 100):
        state = decide(PLAIN, dying if now % 3 else seen(COLD), state, now=float(now)).state
    given_up = decide(PLAIN, dying, state, now=101.0)
    assert (given_up.reason, given_up.state.serving) == (DecisionReason.CANDIDATE_STUCK, OLD)


@pytest.mark.parametrize(
    ("policy", "sight"), [(replace(PLAIN, paused=True), seen(COLD)), (PLAIN, seen(COLD, silent=1))]
)
def test_no_deadline_runs_out_in_a_pause_or_while_nobody_tells(policy, sight):
    state = decide(policy, sight, WARMING, now=1000.0).state
    after = decide(PLAIN, seen(COLD), state, now=2000.0)
    assert (after.reason, after.state.since) == (DecisionReason.CANDIDATE_WARMING, 2000.0)
