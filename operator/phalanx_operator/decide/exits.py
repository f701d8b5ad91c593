"""Thresholds of the ramps: greedy search within the accuracy budget (after Apparate, arXiv 2312.05385, section 3).

First, conservative version: what the ramps disagree on is bounded from above at 95 % and added up over the ramps;
thresholds are bucket bounds, go up one bucket at a time after a cool-down and come down at once; a ramp with few texts
never exits. The budget is what the accuracy loss of dropped students leaves over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from phalanx_operator.api.types import ExitsMode
from phalanx_operator.decide.bounds import loss_at
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.ramps import Levels, Window, total
from phalanx_operator.decide.trust import Doubt, doubt_observation, doubt_ramps
from phalanx_operator.decide.types import (
    Action,
    ArtifactFacts,
    Decision,
    DecisionReason,
    EnsembleMetrics,
    ExitsState,
    Observation,
    StudentsState,
)

LEAST_SAMPLES: Final = 500
"""Texts below which a ramp's agreement says too little: with none that differ, the bound is already 0.76 %."""
RAISE_SHARE: Final = 0.8
"""Share of the budget up to which thresholds are raised: the rest keeps noise from taking them back at once."""

_Step = Decision[ExitsState]


def decide_exits(
    *,
    policy: CutPolicy,
    facts: ArtifactFacts | None,
    metrics: EnsembleMetrics | None,
    observation: Observation,
    state: ExitsState,
    students: StudentsState,
    now: float,
) -> _Step:
    """One step on the thresholds of one ensemble, after the one on its students."""
    if policy.paused:
        return _step(state, Action.HOLD, DecisionReason.PAUSED, "the pool is paused")
    if state.digest != policy.digest:
        # Thresholds were measured on other ramps; they say nothing about a new artifact's.
        state = ExitsState(digest=policy.digest)
    if policy.exits.mode is not ExitsMode.AUTO:
        return _by_spec(policy, state)
    if facts is None:
        return _step(state, Action.HOLD, DecisionReason.ARTIFACT_UNKNOWN, "no worker reports the artifact yet")
    doubt = _doubt(policy, metrics, observation, now)
    if doubt is not None or metrics is None:
        reason, message = (doubt.reason, doubt.message) if doubt else (DecisionReason.METRICS_MISSING, "no metrics")
        return _step(state, Action.HOLD, reason, message)
    window = Window.of(metrics.ramps, rows=facts.rows, least_samples=LEAST_SAMPLES)
    if not window.ramps:
        return _too_few(metrics, state)
    step = _search(window, _budget(policy, facts, students), state, policy, now)
    return _only_recommended(step, state) if policy.recommend_only else step


def _by_spec(policy: CutPolicy, state: ExitsState) -> _Step:
    off = policy.exits.mode is ExitsMode.OFF
    thresholds = () if off else policy.exits.thresholds
    reason = DecisionReason.EXITS_OFF if off else DecisionReason.EXITS_FIXED
    message = "exits are off" if off else f"the spec fixes {_text(thresholds)}"
    action = _action(state.thresholds, thresholds)
    return _step(replace(state, thresholds=thresholds, raised_at=None), action, reason, message)


def _doubt(policy: CutPolicy, metrics: EnsembleMetrics | None, observation: Observation, now: float) -> Doubt | None:
    doubt = doubt_observation(observation, stale_after_s=policy.stale_after_s, now=now)
    if doubt is not None or metrics is None:
        return doubt or Doubt(DecisionReason.METRICS_MISSING, "the workers export no metrics of this ensemble")
    if observation.ramps_problem:
        return Doubt(DecisionReason.METRICS_MISSING, observation.ramps_problem)
    return doubt_ramps(metrics.ramps)


def _too_few(metrics: EnsembleMetrics, state: ExitsState) -> _Step:
    most = max((total(ramp) for ramp in metrics.ramps), default=0.0)
    message = f"no ramp has seen {LEAST_SAMPLES} texts in the window (the most is {most:.0f}), so nothing exits"
    action = Action.LOWER if any(state.thresholds) else Action.STAY
    return _step(replace(state, thresholds=()), action, DecisionReason.EXITS_TOO_FEW_SAMPLES, message)


def _budget(policy: CutPolicy, facts: ArtifactFacts, students: StudentsState) -> float:
    """Share of texts that exits may change: what dropped students leave over."""
    allowed = policy.accuracy.burst_loss if students.lowered else policy.accuracy.loss
    return max(0.0, allowed - loss_at(facts, students.ceiling))


def _search(window: Window, budget: float, state: ExitsState, policy: CutPolicy, now: float) -> _Step:
    current = window.levels_of(state.thresholds)
    over = window.cost(current) > budget
    if over or _too_high(window, current, state):
        levels = _climb(window, (0,) * len(current), current, budget * RAISE_SHARE)
    elif state.raised_at is not None and now - state.raised_at < policy.cool_down_s:
        return _step(state, Action.STAY, DecisionReason.COOLING_DOWN, _cost_text(window, current, budget))
    else:
        next_up = tuple(min(level + 1, top) for level, top in zip(current, window.tops(), strict=True))
        levels = _climb(window, current, next_up, budget * RAISE_SHARE)
    thresholds = window.thresholds_of(levels)
    action = _action(state.thresholds, thresholds)
    reason = DecisionReason.EXITS_OVER_BUDGET if over else DecisionReason.EXITS_WITHIN_BUDGET
    raised_at = now if action is Action.RAISE else state.raised_at
    message = f"{_text(thresholds)}: {_cost_text(window, levels, budget)}"
    return _step(replace(state, thresholds=thresholds, raised_at=raised_at), action, reason, message)


def _too_high(window: Window, current: Levels, state: ExitsState) -> bool:
    """Whether thresholds in force say more than the window can show: of ramps without data, or between buckets."""
    return window.thresholds_of(current) != _trimmed(state.thresholds)


def _climb(window: Window, start: Levels, ceilings: Levels, budget: float) -> Levels:
    """Raise one ramp by one bucket at a time, best gain for its cost first, while the budget holds."""
    levels = start
    while True:
        open_steps = [
            (gain / (cost + 1e-9), after)
            for gain, cost, after in window.steps(levels, ceilings)
            if window.cost(after) <= budget
        ]
        if not open_steps:
            return levels
        levels = max(open_steps)[1]


def _action(before: tuple[float, ...], after: tuple[float, ...]) -> Action:
    """A step that lowers any threshold counts as one down."""
    width = max(len(before), len(after))
    pairs = list(zip(_padded(before, width), _padded(after, width), strict=True))
    if any(new < old for old, new in pairs):
        return Action.LOWER
    return Action.RAISE if any(new > old for old, new in pairs) else Action.STAY


def _padded(thresholds: tuple[float, ...], width: int) -> tuple[float, ...]:
    return thresholds + (0.0,) * (width - len(thresholds))


def _trimmed(thresholds: tuple[float, ...]) -> tuple[float, ...]:
    while thresholds and thresholds[-1] == 0:
        thresholds = thresholds[:-1]
    return thresholds


def _only_recommended(step: _Step, state: ExitsState) -> _Step:
    if step.state.thresholds == state.thresholds:
        return step
    return replace(step, state=state, message=f"recommended only, not applied: {step.message}")


def _cost_text(window: Window, levels: Levels, budget: float) -> str:
    return f"at most {window.cost(levels):.2%} of the texts change (95 % bound), {budget:.2%} may"


def _text(thresholds: tuple[float, ...]) -> str:
    return f"thresholds {', '.join(f'{value:g}' for value in thresholds)}" if any(thresholds) else "no exits"


def _step(state: ExitsState, action: Action, reason: DecisionReason, message: str) -> _Step:
    return Decision(state=state, action=action, reason=reason, message=message)
