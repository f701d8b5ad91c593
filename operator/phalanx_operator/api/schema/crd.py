"""The three CustomResourceDefinitions as data: the one source of crds/, of the chart's copies and of local checks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from phalanx_contract.runtime import GROUP, VERSION
from phalanx_operator.api.rules import Rule, rules_of
from phalanx_operator.api.schema import adapter, ensemble, pool, status
from phalanx_operator.api.schema.fields import Schema


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of `kubectl get`; those with a priority show up with `-o wide`."""

    name: str
    path: str
    description: str
    kind: str = "string"
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Names of a kind, and what `kubectl get` shows of it."""

    kind: str
    plural: str
    short: str
    description: str
    columns: tuple[Column, ...]
    scale: bool = False


def _ready() -> tuple[Column, ...]:
    def condition(field: str) -> str:
        return f".status.conditions[?(@.type=='Ready')].{field}"

    return (
        Column(name="Ready", path=condition("status"), description="Whether it serves as its spec says."),
        Column(name="Reason", path=condition("reason"), description="Why it is ready or not."),
        Column(name="Age", path=".metadata.creationTimestamp", kind="date", description="Time since its creation."),
        Column(name="Message", path=condition("message"), priority=1, description="What to do."),
    )


POOL: Final = Kind(
    kind="ServingPool",
    plural="servingpools",
    short="pool",
    description="Hardware that serves encoders: one Deployment of workers.",
    scale=True,
    columns=(
        Column(name="Wanted", path=".status.wanted", kind="integer", description="Workers wanted."),
        Column(name="Workers", path=".status.readyReplicas", kind="integer", description="Workers that are ready."),
        Column(name="P99", path=".spec.objective.p99", description="Latency objective."),
        Column(name="Models", path=".status.plan.ensembles", kind="integer", description="Ensembles in the plan."),
        *_ready(),
    ),
)
ENSEMBLE: Final = Kind(
    kind="StudentEnsemble",
    plural="studentensembles",
    short="ens",
    description="A model: a grid of students, served by a ServingPool.",
    columns=(
        Column(name="Pool", path=".spec.pool", description="Where it is served."),
        Column(name="Floor", path=".status.students.floor", kind="integer", description="Fewest students."),
        Column(name="Ceiling", path=".status.students.ceiling", kind="integer", description="Most students."),
        Column(name="Rollout", path=".status.rollout.stage", priority=1, description="Where a new artifact is."),
        Column(name="Decision", path=".status.decision.reason", priority=1, description="Latest decision's reason."),
        *_ready(),
    ),
)
ADAPTER: Final = Kind(
    kind="TenantAdapter",
    plural="tenantadapters",
    short="ta",
    description="A tenant of a StudentEnsemble, with an adapter of its own.",
    columns=(
        Column(name="Ensemble", path=".spec.ensemble", description="What it adapts."),
        Column(name="Weight", path=".spec.weight", kind="integer", description="Fair share."),
        *_ready(),
    ),
)
KINDS: Final = (POOL, ENSEMBLE, ADAPTER)

_PARTS: Final = {
    "ServingPool": (pool.spec, status.pool),
    "StudentEnsemble": (ensemble.spec, status.ensemble),
    "TenantAdapter": (adapter.spec, status.adapter),
}


def object_schema(kind: str) -> Schema:
    """The schema of a whole object, without CEL rules."""
    spec, shown = _PARTS[kind]
    described = next(each.description for each in KINDS if each.kind == kind)
    return {
        "description": described,
        "type": "object",
        "required": ["spec"] if kind != "ServingPool" else [],
        "properties": {
            "apiVersion": {"description": "Group and version of the resource.", "type": "string"},
            "kind": {"description": "Kind of the resource.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": spec(),
            "status": shown(),
        },
    }


def definition(kind: Kind, *, cel: bool = True) -> dict[str, Any]:
    """One CustomResourceDefinition; API servers before Kubernetes 1.25 know no CEL rules."""
    schema = object_schema(kind.kind)
    if not schema["required"]:
        del schema["required"]
    if cel:
        schema = _with_rules(schema, rules_of(kind.kind))
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": _subresources(kind),
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": schema},
    }
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": [kind.short],
        "categories": ["phalanx"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _subresources(kind: Kind) -> dict[str, Any]:
    if not kind.scale:
        return {"status": {}}
    scale = {
        "specReplicasPath": ".spec.replicas.count",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return {"status": {}, "scale": scale}


def _column(column: Column) -> dict[str, Any]:
    node: dict[str, Any] = {
        "name": column.name,
        "type": column.kind,
        "jsonPath": column.path,
        "description": column.description,
    }
    return node | {"priority": column.priority} if column.priority else node


def _with_rules(schema: Schema, rules: Sequence[Rule]) -> Schema:
    schema = copy.deepcopy(schema)
    for rule in rules:
        node = schema
        for step in rule.at:
            node = node["properties"][step]
        node.setdefault("x-kubernetes-validations", []).append(
            {"rule": rule.cel, "message": f"{rule.field} {rule.message}"}
        )
    return schema
