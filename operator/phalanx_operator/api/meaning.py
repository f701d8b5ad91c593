"""Checks that a schema cannot express: what a URI, a duration or an environment variable means.

They read a spec whose form was checked before; paths that the schema found faulty are the caller's to leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from phalanx_contract.distillation import JOB_ENV
from phalanx_contract.runtime import OPERATOR_ENV
from phalanx_operator.api.containers import container_issues
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
        yield from container_issues("spec.worker", spec.get("worker"), reserved=OPERATOR_ENV)
        yield from _allowed(spec.get("artifacts"))
        yield from peer_issues(spec.get("networkPolicy"))
        return
    artifact = spec.get("artifact")
    uri = artifact.get("uri") if isinstance(artifact, Mapping) else None
    if isinstance(uri, str) and (fault := uri_fault(uri)):
        yield SpecIssue("spec.artifact.uri", fault)
    yield from _distill(spec.get("distill"))


def _distill(distill: object) -> Iterator[SpecIssue]:
    if not isinstance(distill, Mapping):
        return
    for name in ("teacher", "data", "output", "work"):
        uri = distill.get(name)
        if isinstance(uri, str) and "://" in uri and (fault := uri_fault(uri)):
            yield SpecIssue(f"spec.distill.{name}", fault)
    for path in (("settings",), ("settings", "students"), ("settings", "students", "auto")):
        if not isinstance(_at(distill, path) or {}, Mapping):
            field = f"spec.distill.{'.'.join(path)}"
            yield SpecIssue(field, "is no section; write its settings below it, as in docs/distillation.md")
            break
    yield from container_issues("spec.distill", distill, reserved=OPERATOR_ENV | JOB_ENV)


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


def _allowed(artifacts: object) -> Iterator[SpecIssue]:
    prefixes = artifacts.get("allow") if isinstance(artifacts, Mapping) else None
    for index, prefix in enumerate(prefixes if isinstance(prefixes, list) else ()):
        if isinstance(prefix, str) and (fault := prefix_fault(prefix)):
            yield SpecIssue(f"spec.artifacts.allow[{index}]", fault)
