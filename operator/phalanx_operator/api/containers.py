"""What is passed through to a container has to be at least of a container's form: its variables and resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from phalanx_operator.api.issues import SpecIssue


def container_issues(at: str, spec: object, *, reserved: Set[str]) -> Iterator[SpecIssue]:
    """Faults of `env` and `resources` of the section `at`; `reserved` variables are the operator's to set."""
    if isinstance(spec, Mapping):
        yield from _environment(at, spec.get("env"), reserved)
        yield from _resources(at, spec.get("resources"))


def _environment(at: str, entries: object, reserved: Set[str]) -> Iterator[SpecIssue]:
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        field = f"{at}.env[{index}]"
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name:
            yield SpecIssue(f"{field}.name", "is required; give the variable a name")
        elif name in reserved:
            yield SpecIssue(f"{field}.name", f"{name} is set by the operator; remove it")
        elif name in seen:
            yield SpecIssue(f"{field}.name", f"{name} is there twice; remove one")
        elif not isinstance(entry.get("value", ""), str):
            yield SpecIssue(f"{field}.value", "is not text; put it into quotes")
        else:
            seen.add(name)


def _resources(at: str, resources: object) -> Iterator[SpecIssue]:
    for group in ("limits", "requests"):
        amounts = resources.get(group, {}) if isinstance(resources, Mapping) else {}
        field = f"{at}.resources.{group}"
        if not isinstance(amounts, Mapping):
            yield SpecIssue(field, "is no map; write resource names with amounts, such as nvidia.com/gpu: 1")
            continue
        for name, amount in amounts.items():
            if isinstance(amount, bool) or not isinstance(amount, str | int | float):
                yield SpecIssue(f"{field}.{name}", f"{amount!r} is no amount; write a quantity, such as 1 or 4Gi")
