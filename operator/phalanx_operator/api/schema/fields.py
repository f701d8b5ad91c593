"""Words to write an OpenAPI v3 structural schema with: every field needs a description, so each word asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phalanx_operator.api.units import DURATION, QUANTITY

Schema = dict[str, Any]
"""One node of an OpenAPI v3 schema, as the API server reads it."""


def obj(
    description: str, properties: Mapping[str, Schema], *, required: Sequence[str] = (), default: object = None
) -> Schema:
    """An object with known fields; with a `default` of `{}` the defaults inside of it apply when it is left out."""
    node: Schema = {"description": description, "type": "object", "properties": dict(properties)}
    if required:
        node["required"] = list(required)
    return _default(node, default)


def string(
    description: str,
    *,
    pattern: str = "",
    length: tuple[int, int] = (1, 253),
    enum: Sequence[str] = (),
    default: str | None = None,
) -> Schema:
    """Text with bounds of its length, and a pattern or a closed set of values."""
    node: Schema = {"description": description, "type": "string"}
    if enum:
        return _default({**node, "enum": list(enum)}, default)
    node |= {"minLength": length[0], "maxLength": length[1]}
    if pattern:
        node["pattern"] = pattern
    return _default(node, default)


def duration(description: str, *, default: str) -> Schema:
    """A duration such as `20ms`."""
    return string(description, pattern=DURATION, length=(2, 32), default=default)


def quantity(description: str) -> Schema:
    """A quantity such as `1Gi`.

    Text alone: for a field that takes numbers too, Kubernetes 1.20 builds no typed model of the whole kind.
    """
    return string(description, pattern=QUANTITY, length=(1, 32))


def integer(description: str, *, low: int, high: int, default: int | None = None) -> Schema:
    """A whole number in `low..high`."""
    node: Schema = {"description": description, "type": "integer", "minimum": low, "maximum": high}
    return _default(node | {"format": "int32" if high < 2**31 else "int64"}, default)


def number(
    description: str, *, low: float, high: float, open_low: bool = False, default: float | None = None
) -> Schema:
    """A number in `low..high`; with `open_low` above `low`."""
    node: Schema = {"description": description, "type": "number", "minimum": low, "maximum": high}
    if open_low:
        node["exclusiveMinimum"] = True
    return _default(node, default)


def boolean(description: str, *, default: bool | None = None) -> Schema:
    """True or false."""
    return _default({"description": description, "type": "boolean"}, default)


def array(description: str, items: Schema, *, longest: int, kind: str = "atomic", keys: Sequence[str] = ()) -> Schema:
    """A list; `kind` and `keys` say how server-side apply merges it."""
    node: Schema = {"description": description, "type": "array", "maxItems": longest, "items": items}
    node["x-kubernetes-list-type"] = kind
    if keys:
        node["x-kubernetes-list-map-keys"] = list(keys)
    return node


def strings_by_name(description: str, *, longest: int = 63) -> Schema:
    """A map of text, such as a node selector."""
    value = {"type": "string", "maxLength": longest}
    return {"description": description, "type": "object", "maxProperties": 32, "additionalProperties": value}


def opaque(description: str, *, kind: str = "object") -> Schema:
    """Something that Kubernetes defines and that is passed through unread."""
    return {"description": description, "type": kind, "x-kubernetes-preserve-unknown-fields": True}


def _default(node: Schema, default: object) -> Schema:
    return node if default is None else {**node, "default": default}
