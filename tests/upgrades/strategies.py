"""Schemas, what fits them, and schemas that are like another one but for some changes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

_NAMES = st.sampled_from(["a", "b", "c"])
_SMALL = st.integers(0, 4)


def _bounds(lower: str, upper: str) -> st.SearchStrategy[Schema]:
    pair = st.tuples(_SMALL, _SMALL).map(sorted)
    return pair.flatmap(
        lambda two: st.sampled_from([{}, {lower: two[0]}, {upper: two[1]}, {lower: two[0], upper: two[1]}])
    )


_STRINGS = st.one_of(
    _bounds("minLength", "maxLength"),
    st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.sampled_from(["^x*$", "^[xy]*$"]).map(lambda pattern: {"pattern": pattern}),
).map(lambda more: {"type": "string"} | more)
_NUMBERS = st.builds(
    lambda kind, bounds: {"type": kind} | bounds, st.sampled_from(["integer", "number"]), _bounds("minimum", "maximum")
)


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def made(properties: Schema, required: set[str], more: Schema | None) -> Schema:
        schema: Schema = {"type": "object", "properties": properties}
        if named := sorted(required & properties.keys()):
            schema["required"] = named
        return schema if more is None else schema | {"additionalProperties": more}

    return st.builds(made, st.dictionaries(_NAMES, inner, max_size=3), st.sets(_NAMES), st.none() | inner)


def _arrays(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.builds(
        lambda items, bounds: {"type": "array", "items": items} | bounds, inner, _bounds("minItems", "maxItems")
    )


schemas = st.recursive(_STRINGS | _NUMBERS, lambda inner: _objects(inner) | _arrays(inner), max_leaves=6)
"""Structural schemas of all shapes that the definitions have."""


@st.composite
def fitting(draw: st.DrawFn, schema: Schema) -> Any:
    """A value that fits a schema, and has nothing that an API server would drop."""
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    match schema["type"]:
        case "string":
            if "pattern" in schema:
                return draw(st.from_regex(schema["pattern"], fullmatch=True))
            return draw(st.text("xy", min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 6)))
        case "integer":
            return draw(st.integers(schema.get("minimum"), schema.get("maximum")))
        case "number":
            return draw(st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False))
        case "boolean":
            return draw(st.booleans())
        case "array":
            fewest = schema.get("minItems", 0)
            most = schema.get("maxItems", fewest + 3)
            return draw(st.lists(fitting(schema["items"]), min_size=fewest, max_size=min(most, fewest + 3)))
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    names = [name for name in properties if name in required or draw(st.booleans())]
    value = {name: draw(fitting(properties[name])) for name in names}
    if isinstance(more := schema.get("additionalProperties"), dict):
        keys = draw(st.sets(st.sampled_from(["d", "e"])))
        value |= {key: draw(fitting(more)) for key in sorted(keys)}
    return value


@st.composite
def changed(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema with up to three changes somewhere in it, for better or worse."""
    new = schema
    for _ in range(draw(st.integers(0, 3))):
        new = draw(_changed_once(new))
    return new


@st.composite
def _changed_once(draw: st.DrawFn, schema: Schema) -> Schema:
    kind = schema["type"]
    if kind == "object" and schema["properties"] and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(schema["properties"])))
        inner = draw(_changed_once(schema["properties"][name]))
        return schema | {"properties": schema["properties"] | {name: inner}}
    if kind == "array" and draw(st.booleans()):
        return schema | {"items": draw(_changed_once(schema["items"]))}
    other = draw(schemas)
    if other["type"] != kind or draw(st.integers(0, 5)) == 0:
        return other if draw(st.booleans()) else _without_one(draw, schema)
    return schema | {key: value for key, value in other.items() if draw(st.booleans())}


def _without_one(draw: st.DrawFn, schema: Schema) -> Schema:
    keys = sorted(schema.keys() - {"type", "properties", "items"})
    gone = draw(st.sampled_from(keys)) if keys else None
    return {key: value for key, value in schema.items() if key != gone}


@st.composite
def widened(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema with changes that keep everything that fits it."""
    new = dict(schema)
    for key in ("minLength", "minItems", "minimum"):
        if key in new:
            new[key] -= draw(_SMALL)
    for key in ("maxLength", "maxItems", "maximum"):
        if key in new:
            new[key] += draw(_SMALL)
    if "enum" in new:
        new["enum"] = [*new["enum"], "new"]
    if new["type"] == "object":
        new["required"] = [name for name in new.get("required", ()) if draw(st.booleans())]
        new["properties"] = {name: draw(widened(inner)) for name, inner in new["properties"].items()}
        if "additionalProperties" not in new:
            new["properties"]["new"] = draw(schemas)
    if new["type"] == "array":
        new["items"] = draw(widened(new["items"]))
    return new
