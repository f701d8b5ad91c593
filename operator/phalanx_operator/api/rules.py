"""Rules that tie two fields, or a field and the name, together.

Each is written twice side by side: in CEL for API servers that know it, and in Python, because older ones do not
and local mode has no API server at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from phalanx_contract.conditions import Reason
from phalanx_contract.limits import MAX_NAME, MAX_POOL_NAME
from phalanx_operator.api.schema.shared import POOL_NAME
from phalanx_operator.api.units import parse_duration


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`holds` gets the value at the path `at` (defaults filled in); `field` is what the user should change."""

    at: tuple[str, ...]
    cel: str
    holds: Callable[[dict[str, Any]], bool]
    field: str
    message: str
    reason: Reason = Reason.INVALID_SPEC


def _name_fits(longest: int) -> Rule:
    return Rule(
        at=(),
        cel=f"size(self.metadata.name) <= {longest}",
        holds=lambda whole: len(whole["metadata"]["name"]) <= longest,
        field="metadata.name",
        message=f"must have at most {longest} characters, because children's names are made from it; "
        "create it under a shorter name",
        reason=Reason.INVALID_NAME,
    )


def _encrypted_or_open(prometheus: dict[str, Any]) -> bool:
    guarded = "authorization" in prometheus or "tlsConfig" in prometheus
    return not guarded or prometheus["url"].startswith("https://")


def _one_of(spec: object, first: str, second: str) -> bool:
    """Whether one of two fields is there. Of a spec that is none, the schema tells."""
    return not isinstance(spec, dict) or (first in spec) != (second in spec)


def _one_source(ca: dict[str, Any] | None) -> bool:
    return ca is None or ("secret" in ca) != ("configMap" in ca)


_POOL: Final = (
    _name_fits(MAX_POOL_NAME),
    Rule(
        at=(),
        cel=f"self.metadata.name.matches('{POOL_NAME}')",
        holds=lambda whole: "." not in whole["metadata"]["name"] and whole["metadata"]["name"][:1].isalpha(),
        field="metadata.name",
        message="must start with a letter and hold no dots, because the Service takes the same name; "
        "create it under another name",
        reason=Reason.INVALID_NAME,
    ),
    Rule(
        at=("spec", "replicas"),
        cel="!has(self.max) || self.min <= self.max",
        holds=lambda replicas: "max" not in replicas or replicas["min"] <= replicas["max"],
        field="spec.replicas.min",
        message="must not be above spec.replicas.max; lower min or raise max",
    ),
    Rule(
        at=("spec", "rollout"),
        cel="self.maxSurge + self.maxUnavailable > 0",
        holds=lambda rollout: rollout["maxSurge"] + rollout["maxUnavailable"] > 0,
        field="spec.rollout.maxUnavailable",
        message="must not be 0 together with spec.rollout.maxSurge, or no pod could ever be replaced; "
        "set one of them to 1",
    ),
    Rule(
        at=("spec", "metrics"),
        cel="duration(self.interval) <= duration(self.staleAfter)",
        holds=lambda metrics: parse_duration(metrics["interval"]) <= parse_duration(metrics["staleAfter"]),
        field="spec.metrics.staleAfter",
        message="must not be below spec.metrics.interval, or every sample would be stale; raise staleAfter",
    ),
    Rule(
        at=("spec", "metrics"),
        cel="!has(self.prometheus) || self.prometheus.url.startsWith('https://') "
        "|| !(has(self.prometheus.authorization) || has(self.prometheus.tlsConfig))",
        holds=lambda metrics: _encrypted_or_open(metrics.get("prometheus", {"url": ""})),
        field="spec.metrics.prometheus.url",
        message="must start with https:// where there is authorization or tlsConfig, or everyone on the way could read "
        "the token; use https://, or leave both out",
    ),
    Rule(
        at=("spec", "metrics"),
        cel="!has(self.prometheus) || !has(self.prometheus.tlsConfig) || !has(self.prometheus.tlsConfig.ca) "
        "|| has(self.prometheus.tlsConfig.ca.secret) != has(self.prometheus.tlsConfig.ca.configMap)",
        holds=lambda metrics: _one_source(metrics.get("prometheus", {}).get("tlsConfig", {}).get("ca")),
        field="spec.metrics.prometheus.tlsConfig.ca",
        message="must have either secret or configMap; name the one that holds the certificates",
    ),
)
_ENSEMBLE: Final = (
    _name_fits(MAX_NAME),
    Rule(
        at=(),
        cel="has(self.spec.artifact) != has(self.spec.distill)",
        holds=lambda whole: _one_of(whole.get("spec"), "artifact", "distill"),
        field="spec.artifact",
        message="must be there unless spec.distill is, and not beside it; give the artifact's uri and digest, or "
        "teacher, data and output of a distillation",
    ),
    Rule(
        at=("spec",),
        cel="!has(self.distill) || !has(self.distill.work) || !self.distill.output.startsWith('pvc://')",
        holds=lambda spec: "work" not in spec.get("distill", {}) or not spec["distill"]["output"].startswith("pvc://"),
        field="spec.distill.work",
        message="goes with an output in an object store; leave it out, since snapshots lie beside an output on a claim",
    ),
    Rule(
        at=("spec", "students"),
        cel="!has(self.max) || self.min <= self.max",
        holds=lambda students: "max" not in students or students["min"] <= students["max"],
        field="spec.students.min",
        message="must not be above spec.students.max; lower min or raise max",
    ),
    Rule(
        at=("spec", "exits"),
        cel="(self.mode == 'Fixed') == has(self.thresholds)",
        holds=lambda exits: (exits["mode"] == "Fixed") == ("thresholds" in exits),
        field="spec.exits.thresholds",
        message="go with mode Fixed and with it alone; add thresholds, or leave them out and set mode to Off or Auto",
    ),
    Rule(
        at=("spec", "accuracy"),
        cel="self.loss <= self.burstLoss",
        holds=lambda accuracy: accuracy["loss"] <= accuracy["burstLoss"],
        field="spec.accuracy.burstLoss",
        message="must not be below spec.accuracy.loss; raise burstLoss or lower loss",
    ),
)
_ADAPTER: Final = (_name_fits(MAX_NAME),)

_RULES: Final = {"ServingPool": _POOL, "StudentEnsemble": _ENSEMBLE, "TenantAdapter": _ADAPTER}


def rules_of(kind: str) -> tuple[Rule, ...]:
    """The rules of one kind."""
    return _RULES[kind]
