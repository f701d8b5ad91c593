"""Does an object fit its schema? Everything that is wrong is found at once, with paths and what to do.

The API server checks the same schema, but an older one knows no CEL rules, objects may be older than the schema,
and local mode has no API server: so the operator always checks for itself.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any, Final

import jsonschema

from phalanx_contract.conditions import Reason
from phalanx_operator.api.explain import explain
from phalanx_operator.api.issues import SpecIssue
from phalanx_operator.api.meaning import meaning_issues
from phalanx_operator.api.rules import rules_of
from phalanx_operator.api.schema.crd import KINDS, object_schema
from phalanx_operator.api.schema.fields import Schema

KIND_NAMES: Final = tuple(kind.kind for kind in KINDS)


def with_defaults(kind: str, obj: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the object in which every default of the schema is filled in, as the API server does."""
    filled = copy.deepcopy(dict(obj))
    _fill(object_schema_of(kind), filled)
    return filled


def find_issues(kind: str, obj: Mapping[str, Any]) -> list[SpecIssue]:
    """What is wrong with an object whose defaults are filled in; an empty list means nothing."""
    issues = _schema_issues(kind, obj)
    broken = [issue.field for issue in issues]
    spec = obj.get("spec")
    if isinstance(spec, Mapping):
        issues += [issue for issue in meaning_issues(kind, spec) if issue.field not in broken]
    for rule in rules_of(kind):
        if any(_touches(".".join(rule.at), field) for field in broken):
            continue
        if not rule.holds(functools.reduce(lambda node, step: node[step], rule.at, dict(obj))):
            issues.append(SpecIssue(rule.field, rule.message, rule.reason))
    return sorted(issues, key=lambda issue: issue.reason is not Reason.INVALID_NAME)


def validate(obj: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Path and message of everything that is wrong with an object of any of the kinds, defaults filled in first."""
    kind = obj.get("kind")
    if kind not in KIND_NAMES:
        return [("kind", f"{kind!r} is not one of {', '.join(KIND_NAMES)}")]
    return [(issue.field, issue.message) for issue in find_issues(kind, with_defaults(kind, obj))]


@functools.cache
def object_schema_of(kind: str) -> Schema:
    """The schema of a kind without its status, closed: a key that it does not know is an error."""
    schema = object_schema(kind)
    del schema["properties"]["status"]
    schema["properties"]["metadata"] = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 253}},
        "x-kubernetes-preserve-unknown-fields": True,
    }
    schema["properties"]["status"] = {}
    return _closed(schema)


@functools.cache
def _validator(kind: str) -> jsonschema.Draft4Validator:
    # OpenAPI 3.0 took `exclusiveMinimum: true` from JSON Schema's draft 4.
    return jsonschema.Draft4Validator(object_schema_of(kind))


def _closed(schema: Schema) -> Schema:
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: _closed(node) for name, node in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema["additionalProperties"] = False
    if "items" in schema:
        schema["items"] = _closed(schema["items"])
    return schema


def _fill(schema: Schema, value: object) -> None:
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _fill(schema["items"], item)
    if not isinstance(value, dict):
        return
    for name, node in schema.get("properties", {}).items():
        if value.get(name) is None and "default" in node:
            value[name] = copy.deepcopy(node["default"])
        if name in value:
            _fill(node, value[name])


def _schema_issues(kind: str, obj: Mapping[str, Any]) -> list[SpecIssue]:
    """One issue for each faulty field, in the order of the fields."""
    found = {issue.field: issue for error in _validator(kind).iter_errors(obj) for issue in explain(error)}
    return [found[field] for field in sorted(found)]


def _touches(rule_at: str, field: str) -> bool:
    """Whether a fault at `field` keeps a rule on the object at `rule_at` from being asked."""
    if not rule_at:
        return field in ("", "metadata") or field.startswith("metadata.")
    return rule_at == field or field.startswith(f"{rule_at}.") or rule_at.startswith(f"{field}.") or not field
