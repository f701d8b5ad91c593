"""What an OpenAPI schema refuses, drops or reads in another way than the one before it. Pure.

For structural schemas, as CustomResourceDefinitions have them. Two patterns cannot be compared, nor two rules: where
one changed it counts as narrower, and whoever knows better says so in the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_SAME: Final = (
    *("pattern", "format", "multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"),
    *("anyOf", "oneOf", "allOf", "not", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
)
"""Absent in the new schema, or as they were."""
_RULES: Final = "x-kubernetes-validations"
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_KNOWN: Final = {
    *_LOWER, *_UPPER, *_SAME, _RULES, _OPEN, _INT_OR_STRING,
    *("type", "nullable", "enum", "default", "required", "properties", "items", "additionalProperties"),
    *("description", "title", "example"),
}  # fmt: skip


def narrowed(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """Each place where a value that fits `old` does not fit `new`, loses something in it, or gets another default.

    Raises:
        ValueError: a schema uses a keyword that is not compared here.
    """
    for schema in (old, new):
        if unknown := schema.keys() - _KNOWN:
            raise ValueError(f"{path or '.'}: {', '.join(sorted(unknown))} is not compared; add it to narrowing.py")
    for said in _own(old, new):
        yield f"{path or '.'}: {said}"
    yield from _properties(old, new, path)
    if "items" in old:
        yield from narrowed(old["items"], new.get("items", {}), f"{path}[]")
    yield from _values(old, new, path)


def _own(old: Schema, new: Schema) -> Iterator[str]:
    """What the node says of its own value."""
    if "type" in new and new["type"] not in (old.get("type"), _wider(old.get("type"))):
        yield f"type {new['type']} was {old.get('type', 'anything')}"
    for key in (_INT_OR_STRING, "nullable", _OPEN):
        if old.get(key) and not new.get(key):
            yield f"{key} is gone"
    if "enum" in new:
        if "enum" not in old:
            yield f"one of {new['enum']} was anything"
        elif gone := [value for value in old["enum"] if value not in new["enum"]]:
            yield f"{gone} is no value any more"
    for key in _LOWER:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{key} {new[key]} was {old.get(key, 'not there')}"
    for key in _UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{key} {new[key]} was {old.get(key, 'not there')}"
    for key in _SAME:
        if key in new and new[key] != old.get(key):
            yield f"{key} {new[key]!r} was {old.get(key, 'not there')!r}"
    if "default" in old and new.get("default") != old["default"]:
        yield f"default {new.get('default', 'none')!r} was {old['default']!r}"
    known = {rule["rule"] for rule in old.get(_RULES, ())}
    for rule in new.get(_RULES, ()):
        if rule["rule"] not in known:
            yield f"new rule {rule['rule']!r}"


def _wider(kind: str | None) -> str | None:
    return "number" if kind == "integer" else None


def _properties(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from narrowed(schema, after[name], f"{path}.{name}")
        elif isinstance(new.get("additionalProperties"), Mapping):
            yield from narrowed(schema, new["additionalProperties"], f"{path}.{name}")
        elif not (new.get(_OPEN) or new.get("additionalProperties") is True):
            yield f"{path}.{name}: the field is gone, and what it held is dropped"
    for name in new.get("required", ()):
        # Defaults are filled in before a resource is validated.
        if name not in old.get("required", ()) and "default" not in after.get(name, {}):
            yield f"{path}.{name}: required from now on"


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    """Keys that no property names."""
    before, after = old.get("additionalProperties"), new.get("additionalProperties")
    if not before:
        return
    if not after and not new.get(_OPEN):
        yield f"{path}.*: keys that are not named are dropped"
        return
    for name, schema in new.get("properties", {}).items():
        if name not in old.get("properties", {}):
            yield from narrowed({} if before is True else before, schema, f"{path}.{name}")
    if isinstance(after, Mapping):
        yield from narrowed({} if before is True else before, after, f"{path}.*")
