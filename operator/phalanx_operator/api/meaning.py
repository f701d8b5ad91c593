"""Checks that a schema cannot express: what a URI, a duration or an environment variable means.

They read a spec whose form was checked before; paths that the schema found faulty are the caller's to leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from phalanx_contract.runtime import OPERATOR_ENV
from phalanx_operator.api.endpoints import base_url_fault
from phalanx_operator.api.issues import SpecIssue
from phalanx_operator.api.locations import prefix_fault, uri_fault
from phalanx_operator.api.peers import peer_issues
from phalanx_operator.api.units import parse_duration

_DURATIONS: Final = (
    ("spec.objective.p99", ("objective", "p99"), 0.0005, 600.0),
    ("spec.metrics.interval", ("metrics", "interval"), 1.0, 3600.0),
    ("spec.metrics.staleAfter", ("metrics", "staleAfter"), 1.0, 86400.0),
    ("spec.metrics.prometheus.timeout", ("metrics", "prometheus", "timeout"), 1.0, 60.0),
)


def meaning_issues(kind: str, spec: Mapping[str, Any]) -> Iterator[SpecIssue]:
    """Faults of one kind's spec, as far as its form allows to look."""
    if kind == "ServingPool":
        yield from _durations(spec)
        yield from _prometheus(spec)
        yield from _worker(spec)
        yield from _allowed(spec.get("artifacts"))
        yield from peer_issues(spec.get("networkPolicy"))
        return
    artifact = spec.get("artifact")
    uri = artifact.get("uri") if isinstance(artifact, Mapping) else None
    if isinstance(uri, str) and (fault := uri_fault(uri)):
        yield SpecIssue("spec.artifact.uri", fault)


def _durations(spec: Mapping[str, Any]) -> Iterator[SpecIssue]:
    for field, path, low, high in _DURATIONS:
        text = _at(spec, path)
        try:
            seconds = parse_duration(text) if isinstance(text, str) else low
        except ValueError:
            continue
        if not low <= seconds <= high:
            yield SpecIssue(field, f"{text} is not within {low:g}s and {high:g}s")


def _at(spec: Mapping[str, Any], path: tuple[str, ...]) -> object:
    """What lies at a path; None if nothing does."""
    node: object = spec
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _prometheus(spec: Mapping[str, Any]) -> Iterator[SpecIssue]:
    url = _at(spec, ("metrics", "prometheus", "url"))
    if isinstance(url, str) and (fault := base_url_fault(url)):
        yield SpecIssue("spec.metrics.prometheus.url", fault)


def _worker(spec: Mapping[str, Any]) -> Iterator[SpecIssue]:
    """What is passed through to the pod has to be at least of the pod's form."""
    worker = spec.get("worker")
    if isinstance(worker, Mapping):
        yield from _environment(worker.get("env"))
        yield from _resources(worker.get("resources"))


def _allowed(artifacts: object) -> Iterator[SpecIssue]:
    prefixes = artifacts.get("allow") if isinstance(artifacts, Mapping) else None
    for index, prefix in enumerate(prefixes if isinstance(prefixes, list) else ()):
        if isinstance(prefix, str) and (fault := prefix_fault(prefix)):
            yield SpecIssue(f"spec.artifacts.allow[{index}]", fault)


def _environment(entries: object) -> Iterator[SpecIssue]:
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        field = f"spec.worker.env[{index}]"
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name:
            yield SpecIssue(f"{field}.name", "is required; give the variable a name")
        elif name in OPERATOR_ENV:
            yield SpecIssue(f"{field}.name", f"{name} is set by the operator; remove it")
        elif name in seen:
            yield SpecIssue(f"{field}.name", f"{name} is there twice; remove one")
        elif not isinstance(entry.get("value", ""), str):
            yield SpecIssue(f"{field}.value", "is not text; put it into quotes")
        else:
            seen.add(name)


def _resources(resources: object) -> Iterator[SpecIssue]:
    for group in ("limits", "requests"):
        amounts = resources.get(group, {}) if isinstance(resources, Mapping) else {}
        field = f"spec.worker.resources.{group}"
        if not isinstance(amounts, Mapping):
            yield SpecIssue(field, "is no map; write resource names with amounts, such as nvidia.com/gpu: 1")
            continue
        for name, amount in amounts.items():
            if isinstance(amount, bool) or not isinstance(amount, str | int | float):
                yield SpecIssue(f"{field}.{name}", f"{amount!r} is no amount; write a quantity, such as 1 or 4Gi")
