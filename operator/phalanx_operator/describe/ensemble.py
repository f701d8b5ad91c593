"""Why this number of students? `kubectl phalanx explain ens/NAME`, from statuses alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phalanx_contract.conditions import ConditionType
from phalanx_operator.api.types import Manifest
from phalanx_operator.describe.decisions import sentence, step_of
from phalanx_operator.describe.distillation import distillation
from phalanx_operator.describe.lines import Line, Row, Tone, columns
from phalanx_operator.describe.reading import (
    ago,
    condition_of,
    conditions_of,
    failing,
    key_of,
    outdated,
    status_of,
    title_of,
)

_DECISIONS: Final = ("decision", "exitsDecision", "rolloutDecision")


def explain(ensemble: Manifest, pool: Manifest | None, *, now: float) -> list[Line]:
    """What is in force, why, what bounds it, and what to do next. `pool` None: it names one that does not exist."""
    return [
        *_summary(ensemble, pool, now),
        *(_section("Distillation", distillation(ensemble)) if "distill" in ensemble["spec"] else ()),
        *_section("Students", _students(ensemble, now)),
        *_section("Accuracy", _accuracy(ensemble)),
        *_section("Exits", _exits(ensemble, now)),
        *_section("Artifact", _artifact(ensemble, now)),
        *_section("Workers", _workers(ensemble, pool, now)),
        *_section("Conditions", _conditions(ensemble, now)),
        *_section("Next", _next(ensemble, pool)),
    ]


def _section(title: str, lines: Iterator[Line]) -> Iterator[Line]:
    yield Line("")
    yield Line(title, Tone.HEADING)
    yield from (Line(f"  {line.text}", line.tone) for line in lines)


def _summary(ensemble: Manifest, pool: Manifest | None, now: float) -> Iterator[Line]:
    key, ready = key_of(ensemble), condition_of(ensemble, ConditionType.READY)
    tone = Tone.GOOD if ready.holds else Tone.BAD
    state = "is served" if ready.holds else "is not served as its spec says"
    yield Line(f"{title_of(ensemble)} in {key.namespace} {state}, for {ago(ready.since, now)}: {ready.message}", tone)
    if outdated(ensemble):
        yield Line("Its spec has changed since; what follows is about the one before.", Tone.WARNING)
    if pool is not None and pool["spec"].get("paused"):
        yield Line(f"{title_of(pool)} is paused: nothing changes until spec.paused is false.", Tone.WARNING)
    if pool is not None and pool["spec"].get("recommendOnly"):
        yield Line(f"{title_of(pool)} only recommends: decisions are shown and not carried out.", Tone.WARNING)


def _students(ensemble: Manifest, now: float) -> Iterator[Line]:
    status, spec = status_of(ensemble), ensemble["spec"].get("students") or {}
    students = status.get("students") or {}
    if not students:
        yield Line("No range is in force yet.")
        return
    available = students.get("available")
    floor, top = students.get("floor", 1), students.get("ceiling", available or "all")
    of = f" of {available}" if available else ""
    yield Line(f"{floor} to {top}{of} may answer; for each batch a worker takes the most that keep the objective.")
    asked = spec.get("max", "all that the artifact has")
    yield Line(f"The spec allows {spec.get('min', 1)} to {asked}.")
    if students.get("lowered"):
        yield Line("Load keeps it below that; students come back when load falls or workers arrive.", Tone.WARNING)
    yield Line(f"Last decision: {sentence(status.get('decision') or {}, now)}.")


def _accuracy(ensemble: Manifest) -> Iterator[Line]:
    accuracy = ensemble["spec"].get("accuracy") or {}
    loss, burst = accuracy.get("loss", 0.01), accuracy.get("burstLoss", 0.03)
    yield Line(f"Answers may differ from those of all students and rows on {loss:.2%} of the texts,")
    yield Line(f"and on {burst:.2%} on average over five minutes while load keeps students dropped.")


def _exits(ensemble: Manifest, now: float) -> Iterator[Line]:
    status = status_of(ensemble)
    mode = (ensemble["spec"].get("exits") or {}).get("mode", "Off")
    thresholds = status.get("thresholds") or []
    rows = ", ".join(f"row {row} below {value:g}" for row, value in enumerate(thresholds) if value)
    yield Line(f"Mode {mode}; texts leave early at {rows}." if rows else f"Mode {mode}; no text leaves early.")
    if mode == "Auto":
        yield Line(f"Last decision: {sentence(status.get('exitsDecision') or {}, now)}.")


def _artifact(ensemble: Manifest, now: float) -> Iterator[Line]:
    status = status_of(ensemble)
    rollout = status.get("rollout") or {}
    if not rollout:
        yield Line("Nothing was decided yet.")
        return
    serving, candidate = _short(rollout.get("serving")), rollout.get("candidate")
    yield Line(f"{serving} serves. Stage {rollout['stage']}, for {ago(rollout.get('since', ''), now)}.")
    if candidate:
        held = f"{rollout.get('warm', 0)} of {rollout.get('workers', 0)} workers hold it"
        compared = f", {rollout['comparedPercent']}% of the texts are compared" if "comparedPercent" in rollout else ""
        yield Line(f"{_short(candidate)} may take its place: {held}{compared}.", Tone.WARNING)
    if "rejected" in rollout:
        yield Line(f"{_short(rollout['rejected'])} was rolled back.", Tone.BAD)
    yield Line(f"Last decision: {sentence(status.get('rolloutDecision') or {}, now)}.")


def _short(artifact: Manifest | None) -> str:
    return str((artifact or {}).get("digest", "nothing")).removeprefix("sha256:")[:12]


def _workers(ensemble: Manifest, pool: Manifest | None, now: float) -> Iterator[Line]:
    if pool is None:
        yield Line(f"There is no pool/{ensemble['spec'].get('pool')} in this namespace.", Tone.BAD)
        return
    status, workers = status_of(pool), status_of(ensemble).get("workers") or {}
    objective = (pool["spec"].get("objective") or {}).get("p99", "50ms")
    wanted = status.get("wanted", status.get("replicas", "?"))
    yield Line(
        f"{workers.get('ready', 0)} of {workers.get('total', 0)} workers of {title_of(pool)} serve it; "
        f"{status.get('readyReplicas', 0)} are ready and {wanted} wanted. The objective is a p99 of {objective}."
    )
    yield Line(f"Last decision on workers: {sentence(status.get('decision') or {}, now)}.")
    metrics = condition_of(pool, ConditionType.METRICS_AVAILABLE)
    yield Line(f"Metrics: {metrics.message}.", Tone.PLAIN if metrics.holds else Tone.WARNING)


def _conditions(ensemble: Manifest, now: float) -> Iterator[Line]:
    rows = [
        Row((each.type, each.status, ago(each.since, now), each.reason, each.message), _tone(each.holds))
        for each in conditions_of(ensemble)
    ]
    yield from columns(("TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"), rows)


def _tone(holds: bool) -> Tone:
    return Tone.PLAIN if holds else Tone.WARNING


def _next(ensemble: Manifest, pool: Manifest | None) -> Iterator[Line]:
    """Steps for what fails, then for what was decided; one line each, none twice."""
    objects = [ensemble] if pool is None else [ensemble, pool]
    steps = [f"{each.reason}: {each.step or each.message}" for obj in objects for each in failing(obj)]
    decisions = [(status_of(obj).get(field) or {}) for obj in objects for field in _DECISIONS]
    steps += [f"{each['reason']}: {step}" for each in decisions if each and (step := step_of(each))]
    if not steps:
        yield Line("Nothing needs to be done.", Tone.GOOD)
    for step in dict.fromkeys(steps):
        yield Line(f"- {step}")
