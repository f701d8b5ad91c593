"""What the operator would do: `kubectl phalanx recommend pool/NAME`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.policy import LOWER_ABOVE, RAISE_BELOW
from phalanx_operator.describe.decisions import is_recommendation, sentence, step_of
from phalanx_operator.describe.lines import Line, Tone
from phalanx_operator.describe.overview import students_of
from phalanx_operator.describe.reading import failing, key_of, status_of, title_of

_WHO: Final = {
    "Operator": "The operator decides the number of workers, from the load.",
    "External": "spec.replicas.count decides the number of workers; whoever autoscales writes it.",
    "Off": "The Deployment decides the number of workers; nobody here writes it.",
}


def recommend(pool: Manifest, ensembles: Sequence[Manifest], *, now: float) -> list[Line]:
    """For a recommendOnly pool what would be done; for others what is in force, and what would change it."""
    spec = pool["spec"]
    if spec.get("paused"):
        text = f"{title_of(pool)} is paused: nothing is decided. Set spec.paused to false."
        return [Line(text, Tone.WARNING)]
    body = [*_workers(pool, now), *(line for each in ensembles for line in _ensemble(each, now))]
    metrics = [
        Line(f"Held: {each.message}; {each.step}", Tone.WARNING)
        for each in failing(pool)
        if each.type == "MetricsAvailable"
    ]
    ending = _apply(pool, ensembles) if spec.get("recommendOnly") else _rules()
    return [*_heading(pool), *metrics, *body, Line(""), *ending]


def _heading(pool: Manifest) -> Iterator[Line]:
    if pool["spec"].get("recommendOnly"):
        yield Line(f"{title_of(pool)} only recommends. If it decided:", Tone.HEADING)
    else:
        yield Line(f"{title_of(pool)} decides by itself. In force, and why:", Tone.HEADING)


def _workers(pool: Manifest, now: float) -> Iterator[Line]:
    spec, status = pool["spec"], status_of(pool)
    bounds = spec.get("replicas") or {}
    low = bounds.get("min", 1)
    high = bounds.get("max", max(1, low))
    wanted = status.get("wanted", status.get("replicas", "?"))
    yield from _decision(f"workers: {wanted} of {low} to {high}", status.get("decision") or {}, now)
    yield Line(f"  {_WHO[spec.get('autoscaling', 'Operator')]}", Tone.QUIET)


def _ensemble(ensemble: Manifest, now: float) -> Iterator[Line]:
    status = status_of(ensemble)
    title = f"{title_of(ensemble)}: students {students_of(ensemble)}"
    yield from _decision(title, status.get("decision") or {}, now)
    if (ensemble["spec"].get("exits") or {}).get("mode") == "Auto":
        thresholds = " ".join(f"{value:g}" for value in status.get("thresholds") or ()) or "none"
        title = f"{title_of(ensemble)}: thresholds {thresholds}"
        yield from _decision(title, status.get("exitsDecision") or {}, now)


def _decision(title: str, decision: Manifest, now: float) -> Iterator[Line]:
    tone = Tone.WARNING if is_recommendation(decision) else Tone.PLAIN
    yield Line(title, tone)
    yield Line(f"  {sentence(decision, now)}", tone)
    step = step_of(decision)
    if step:
        yield Line(f"  {step}", Tone.QUIET)


def _apply(pool: Manifest, ensembles: Sequence[Manifest]) -> Iterator[Line]:
    decisions = [
        status_of(obj).get(field) or {} for obj in (pool, *ensembles) for field in ("decision", "exitsDecision")
    ]
    count = sum(map(is_recommendation, decisions))
    key = key_of(pool)
    patch = """--type merge -p '{"spec":{"recommendOnly":false}}'"""
    yield Line(f"{count} change{'' if count == 1 else 's'} would be made. To let it decide:")
    yield Line(f"  kubectl patch pool {key.name} -n {key.namespace} {patch}")


def _rules() -> Iterator[Line]:
    yield Line("What would change it (docs/decisions.md has all rules):")
    yield Line(f"  students: fewer above {LOWER_ABOVE:.0%} of the capacity, or when the p99 misses the objective;")
    yield Line(f"    more below {RAISE_BELOW:.0%} of both; within spec.students and spec.accuracy.burstLoss")
    yield Line("  workers: spec.replicas and spec.autoscaling")
    yield Line("To see decisions without their effect, set spec.recommendOnly.")
