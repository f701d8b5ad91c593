"""How a new artifact takes the place of the one that serves, or does not.

    Serving --(the spec names another)--> Warming --(all workers hold it)--> [ Canary --(it agrees)--> ] Serving
                                             |                                   |
                                             +--(it failed, or took too long)----+--> RolledBack

The serving artifact is in the plan all the while, so a worker that restarts serves it. A first artifact has nothing to
replace and serves at once. A spec that changes on the way starts anew, with what it names now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from phalanx_contract.plan import Artifact
from phalanx_contract.worker import TRANSIENT, LoadState
from phalanx_operator.api.types import Canary, StudentEnsemble
from phalanx_operator.decide.candidate import Sight, name_of
from phalanx_operator.decide.loaded import Held
from phalanx_operator.decide.nextsteps import field_of, step_of
from phalanx_operator.decide.onebyone import next_back, next_forward
from phalanx_operator.decide.types import Action, Decision, DecisionReason, Rejected, RolloutState, Stage
from phalanx_operator.decide.wilson import upper_bound

EARLY_TEXTS: Final = 20
"""Compared texts from which on a disagreement may end a canary before its time."""
EARLY_Z: Final = 3.0
"""How sure that has to be, in standard errors: it is asked again in every round."""

_NONE: Final = 0
"""No generation of a spec."""

_Step = Decision[RolloutState]


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutPolicy:
    """What one ensemble's spec asks for. `generation` tells one spec from the next: what was rolled back is tried again
    when it changes."""

    wanted: Artifact
    generation: int = 1
    canary: Canary = field(default_factory=Canary)
    deadline_s: float = 600.0
    paused: bool = False
    refusal: str = ""
    """Why workers may not load it at all."""

    @classmethod
    def of(cls, ensemble: StudentEnsemble, *, paused: bool, refusal: str = "") -> RolloutPolicy:
        """The policy that a spec amounts to."""
        return cls(
            wanted=ensemble.artifact,
            generation=ensemble.meta.generation,
            canary=ensemble.rollout.canary,
            deadline_s=ensemble.rollout.progress_deadline_s,
            paused=paused,
            refusal=refusal,
        )


def decide_rollout(*, policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float) -> _Step:
    """One step; `sight` is of the policy's artifact. `now` in seconds, in the clock of the state.

    The state that is returned always has an artifact that serves. A pool without workers waits for some, however long,
    one with a worker of a release that knows no candidates until that is replaced, and one with tenants whose adapters
    do not fit the candidate until they have others.
    """
    timed = sight.timed and not policy.paused
    if state.counted_s is not None and timed:
        state = replace(state, since=now - state.counted_s, counted_s=None)
    step = _decide(policy, sight, state, now)
    waits = step.state.candidate is not None and not timed
    return replace(step, state=replace(step.state, counted_s=_counted_s(state, step.state, now) if waits else None))


def _counted_s(before: RolloutState, after: RolloutState, now: float) -> float:
    """What counted of a stage that waits. A clock that is set back takes nothing away from nothing."""
    if before.counted_s is not None and before.since == after.since:
        return before.counted_s
    return max(0.0, now - after.since)


def _decide(policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float) -> _Step:
    if sight.students:
        state = replace(state, students=sight.students)
    if policy.paused and state.serving is not None:
        return _step(state, Action.HOLD, DecisionReason.PAUSED, "the pool is paused")
    # What no worker ever served needs no protection, and might never serve.
    if state.serving is None or (not state.students and state.serving != policy.wanted):
        return _first(policy, now)
    if policy.wanted == state.serving:
        return _back(sight, _settled(state, now))
    if policy.refusal:
        return _back(sight, _refused(policy, state, now))
    if policy.wanted.digest == state.serving.digest:
        # The same at another place: it has proved itself, and no second copy need be loaded to tell.
        return _back(sight, _settled(replace(state, serving=policy.wanted), now))
    before = state.rejected
    if before is not None and (before.artifact, before.generation) == (policy.wanted, policy.generation):
        return _back(sight, _step(state, Action.STAY, before.reason, before.message))
    if state.candidate != policy.wanted:
        return _start(policy, state, now)
    broken = _broken(sight.held)
    if broken:
        return _roll_back(policy, state, now, DecisionReason.CANDIDATE_FAILED, f"cannot be loaded: {broken}")
    # A canary whose weight was set to 0 has nothing to show any more.
    on_trial = state.stage is Stage.CANARY and policy.canary.weight > 0
    return (_canary if on_trial else _warming)(policy, sight, state, now)


def _first(policy: RolloutPolicy, now: float) -> _Step:
    state = RolloutState(serving=policy.wanted, since=now)
    message = f"{name_of(policy.wanted)} serves at once: no other artifact did"
    return _step(state, Action.STAY, DecisionReason.FIRST_ARTIFACT, message)


def _settled(state: RolloutState, now: float) -> _Step:
    assert state.serving is not None
    if state.candidate is None:
        message = f"the spec names {name_of(state.serving)}, which serves"
        since = state.since if state.stage is Stage.SERVING else now
        settled = replace(state, stage=Stage.SERVING, since=since, rejected=None)
        return _step(settled, Action.STAY, DecisionReason.ARTIFACT_CURRENT, message)
    message = f"{name_of(state.candidate)} is let go: the spec names {name_of(state.serving)} again, which serves"
    settled = replace(state, stage=Stage.SERVING, candidate=None, since=now, rejected=None, alone=())
    return _step(settled, Action.ROLL_BACK, DecisionReason.SPEC_CHANGED, message)


def _refused(policy: RolloutPolicy, state: RolloutState, now: float) -> _Step:
    """Not loaded at all. It is tried as soon as it may be, whatever generation of the spec names it then."""
    free = replace(policy, generation=_NONE)
    step = _roll_back(free, state, now, DecisionReason.CANDIDATE_REFUSED, f"may not be loaded: {policy.refusal}")
    same = state.rejected == step.state.rejected and state.candidate is None
    return replace(step, state=state, action=Action.STAY) if same else step


def _back(sight: Sight, step: _Step) -> _Step:
    """The step, or before it the next worker that has to come back."""
    if step.action is not Action.STAY:
        return step
    if not sight.stranded and all(name in sight.serving for name in step.state.alone):
        return replace(step, state=replace(step.state, alone=()))
    return next_back(step.state, sight) or step


def _start(policy: RolloutPolicy, state: RolloutState, now: float) -> _Step:
    assert state.serving is not None
    started = replace(state, stage=Stage.WARMING, candidate=policy.wanted, since=now, rejected=None, alone=())
    old, new = name_of(state.serving), name_of(policy.wanted)
    message = f"{new} is loaded beside {old}, which serves until all workers hold the new one"
    if state.candidate is None:
        return _step(started, Action.START, DecisionReason.NEW_ARTIFACT, message)
    message = f"{message}; {name_of(state.candidate)} is let go, since the spec changed"
    return _step(started, Action.START, DecisionReason.SPEC_CHANGED, message)


def _warming(policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float) -> _Step:
    waits = _not_warm(sight, state)
    if waits is not None:
        if waits.action is Action.STAY and not policy.canary.weight:
            waits = next_forward(state, sight, now=now) or waits
        if now - state.since <= policy.deadline_s or not sight.timed:
            return waits
        late = f"is not warm after {policy.deadline_s:g} s: {_trouble(sight)}"
        return _roll_back(policy, state, now, DecisionReason.CANDIDATE_STUCK, late)
    if not policy.canary.weight:
        warm = f"{len(sight.held)} of {len(sight.held)} workers hold it warm"
        return _promote(policy, sight, state, now, DecisionReason.CANDIDATE_WARM, warm)
    message = (
        f"{name_of(policy.wanted)} is warm in all {len(sight.held)} workers and answers "
        f"{policy.canary.weight:.0%} of the requests from now on"
    )
    canary = replace(state, stage=Stage.CANARY, since=now)
    return _step(canary, Action.START, DecisionReason.CANDIDATE_WARM, message)


def _canary(policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float) -> _Step:
    canary, seen = policy.canary, sight.compared
    surely = upper_bound(seen.agreeing, seen.texts, z=EARLY_Z)
    if seen.texts >= EARLY_TEXTS and surely < canary.min_agreement:
        return _roll_back(policy, state, now, DecisionReason.CANARY_DISAGREES, _agreement(sight, canary))
    waits = _not_warm(sight, state)
    if waits is None and not sight.students and now - state.since >= canary.seconds:
        # There is nothing to compare it with, and to go back would be to go on answering nothing.
        alone = f"{len(sight.held)} of {len(sight.held)} workers hold it warm, and none holds the other"
        return _promote(policy, sight, state, now, DecisionReason.CANDIDATE_WARM, alone)
    waits = waits or _not_compared(policy, sight, state, now)
    if waits is not None:
        if now - state.since <= canary.seconds + policy.deadline_s or not sight.timed:
            return waits
        said = f"could not be judged in {canary.seconds + policy.deadline_s:g} s: {waits.message}"
        return _roll_back(policy, state, now, DecisionReason.CANARY_INCONCLUSIVE, said)
    if seen.agreeing < canary.min_agreement * seen.texts:
        return _roll_back(policy, state, now, DecisionReason.CANARY_DISAGREES, _agreement(sight, canary))
    if seen.candidate_s > canary.max_latency_ratio * seen.serving_s:
        return _roll_back(policy, state, now, DecisionReason.CANARY_SLOW, _latency(sight, canary))
    said = f"it {_agreement(sight, canary)}, and {_latency(sight, canary)}"
    return _promote(policy, sight, state, now, DecisionReason.CANARY_AGREES, said)


def _not_warm(sight: Sight, state: RolloutState) -> _Step | None:
    """Why it cannot be said that all workers hold it; None if it can."""
    if sight.outdated:
        return _step(state, Action.HOLD, DecisionReason.CANDIDATE_WARMING, _trouble(sight))
    if sight.silent or not sight.held:
        return _step(state, Action.HOLD, DecisionReason.REPORTS_MISSING, _trouble(sight))
    if sight.warm < len(sight.held):
        return _step(state, Action.STAY, DecisionReason.CANDIDATE_WARMING, _trouble(sight))
    if sight.unfit:
        more = f" and {sight.unfit - 1} more" if sight.unfit > 1 else ""
        message = (
            f"{sight.unfit_tenant}{more} would be answered no more, for want of an adapter that fits it: name adapters "
            "that were trained on it in the TenantAdapters, or delete these; until then all goes on as it is"
        )
        return _step(state, Action.HOLD, DecisionReason.TENANTS_UNFIT, message)
    return None


def _not_compared(policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float) -> _Step | None:
    """Why it is too early to judge; None if it is time."""
    canary, texts = policy.canary, sight.compared.texts
    if now - state.since >= canary.seconds and texts >= canary.min_compared:
        return None
    message = f"{texts} texts are compared; {canary.min_compared} and {canary.seconds:g} s are asked for"
    return _step(state, Action.STAY, DecisionReason.CANARY_RUNNING, message)


def _broken(held: Sequence[Held]) -> str:
    """What keeps it from ever being loaded, with the next step; empty for nothing."""
    return next((_said(each) for each in held if each.state is LoadState.FAILED and each.reason not in TRANSIENT), "")


def _trouble(sight: Sight) -> str:
    """What is missing for all workers to hold it."""
    if sight.outdated:
        return f"it waits until {sight.outdated} is replaced, a worker of an earlier release, which knows no candidates"
    if sight.silent:
        return f"{sight.silent} ready workers do not report"
    if not sight.held:
        return "no worker reports"
    failed = next((_said(each) for each in sight.held if each.state is LoadState.FAILED), "")
    count = f"{sight.warm} of {len(sight.held)} workers hold it warm"
    if sight.queued:
        return f"{count}; the others have no room for two, and wait until {min(sight.away)} has changed for another one"
    return f"{count}; {failed}" if failed else count


def _said(held: Held) -> str:
    return f"{held.field or field_of(held.reason)}: {held.message or held.reason}; {step_of(held.reason)}"


def _agreement(sight: Sight, canary: Canary) -> str:
    seen = sight.compared
    share = f"{seen.agreeing / seen.texts:.1%}" if seen.texts else "none"
    return f"agrees on {share} of {seen.texts} texts ({canary.min_agreement:.1%} needed)"


def _latency(sight: Sight, canary: Canary) -> str:
    seen = sight.compared
    ratio = seen.candidate_s / seen.serving_s if seen.serving_s > 0 else 1.0
    return f"takes {ratio:.2f} times as long for the same requests ({canary.max_latency_ratio:g} allowed)"


def _promote(
    policy: RolloutPolicy, sight: Sight, state: RolloutState, now: float, reason: DecisionReason, said: str
) -> _Step:
    assert state.serving is not None
    message = f"{name_of(policy.wanted)} takes the place of {name_of(state.serving)}: {said}"
    promoted = RolloutState(serving=policy.wanted, students=max(sight.next_students, 1), since=now)
    return _step(promoted, Action.PROMOTE, reason, message)


def _roll_back(policy: RolloutPolicy, state: RolloutState, now: float, reason: DecisionReason, said: str) -> _Step:
    assert state.serving is not None
    message = f"{name_of(policy.wanted)} {said}; {name_of(state.serving)} goes on serving"
    rejected = Rejected(artifact=policy.wanted, generation=policy.generation, reason=reason, message=message)
    back = replace(state, stage=Stage.ROLLED_BACK, candidate=None, since=now, rejected=rejected, alone=())
    return _step(back, Action.ROLL_BACK, reason, message)


def _step(state: RolloutState, action: Action, reason: DecisionReason, message: str) -> _Step:
    return Decision(state=state, action=action, reason=reason, message=message)
