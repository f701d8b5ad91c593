"""What `narrowed` promises: silence means that nothing is refused or dropped, and widening is never told."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upgrades.narrowing import narrowed
from tests.upgrades.strategies import Schema, changed, fitting, schemas, widened


def pruned(schema: Schema, value: Any) -> Any:
    """What an API server keeps of a value."""
    if isinstance(value, list):
        return [pruned(schema.get("items", {}), each) for each in value]
    if not isinstance(value, dict):
        return value
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    known = {name: properties.get(name, more) for name in value}
    return {name: pruned(known[name], each) for name, each in value.items() if known[name] is not None}


@given(st.data())
def test_where_nothing_is_told_every_value_stays_valid_and_whole(data):
    old = data.draw(schemas)
    new = data.draw(changed(old))
    if [*narrowed(old, new)]:
        return
    value = data.draw(fitting(old))
    jsonschema.validate(value, new)
    assert pruned(new, value) == value


@given(st.data())
def test_widening_is_never_told(data):
    old = data.draw(schemas)
    assert [*narrowed(old, data.draw(widened(old)))] == []


@given(schemas)
def test_a_schema_is_no_narrower_than_itself(schema):
    assert [*narrowed(schema, schema)] == []


MINIMUM = ".a: minimum 3 was not there"
OBJECT = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"type": "object", "properties": {}}, ".a: the field is gone, and what it held is dropped"),
        (OBJECT | {"properties": {"a": {"type": "integer", "default": 2}}}, ".a: default 2 was 1"),
        (OBJECT | {"properties": {"a": {"type": "string", "default": 1}}}, ".a: type string was integer"),
        (
            OBJECT | {"properties": {"a": {"type": "integer", "default": 1, "minimum": 3}}},
            ".a: minimum 3 was not there",
        ),
        (OBJECT | {"properties": OBJECT["properties"] | {"b": {}}, "required": ["b"]}, ".b: required from now on"),
        (OBJECT | {"x-kubernetes-validations": [{"rule": "self.a > 0"}]}, ".: new rule 'self.a > 0'"),
    ],
    ids=["gone", "default", "type", "bound", "required", "rule"],
)
def test_each_way_to_break_a_resource_is_told_with_its_path(new, said):
    assert [*narrowed(OBJECT, new)] == [said]


def test_a_field_that_is_required_and_has_a_default_breaks_nothing():
    new = OBJECT | {"properties": OBJECT["properties"] | {"b": {"default": 1}}, "required": ["b"]}
    assert [*narrowed(OBJECT, new)] == []


def test_a_keyword_that_is_not_compared_is_an_error_and_not_an_all_clear():
    with pytest.raises(ValueError, match=r"\.a: contentEncoding is not compared"):
        [*narrowed(OBJECT, OBJECT | {"properties": {"a": {"contentEncoding": "base64"}}})]
