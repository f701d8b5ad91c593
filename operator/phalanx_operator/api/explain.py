"""A schema checker's findings as sentences for the person who wrote the resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from phalanx_operator.api.hints import hint_for
from phalanx_operator.api.issues import SpecIssue


def explain(error: Any) -> Iterator[SpecIssue]:
    """Issues that say what one `jsonschema.ValidationError` means (`Any`: its attributes are typed loosely)."""
    path = _path(error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                field = _join(path, name)
                yield SpecIssue(field, f"is required; {hint_for(field)}")
        return
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        for name in sorted(set(error.instance) - set(known)):
            yield SpecIssue(_join(path, name), f"is not a field; there are {', '.join(known)}")
        return
    yield SpecIssue(path, f"{_fault(error)}; {hint_for(path)}")


def _fault(error: Any) -> str:
    value, bound = _short(error.instance), error.validator_value
    match error.validator:
        case "type":
            return f"{value} is not of type {bound}"
        case "enum":
            return f"{value} is not one of {', '.join(bound)}"
        case "minimum":
            return f"{value} is {'not above' if error.schema.get('exclusiveMinimum') else 'below'} {bound}"
        case "maximum":
            return f"{value} is above {bound}"
        case "maxLength":
            return f"has {len(error.instance)} characters; at most {bound}"
        case "maxItems" | "maxProperties":
            return f"has {len(error.instance)} entries; at most {bound}"
        case "minLength" if not error.instance:
            return "is empty"
        case _:
            return f"{value} does not have the right form"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _path(steps: Iterable[int | str]) -> str:
    path = ""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else _join(path, step)
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
