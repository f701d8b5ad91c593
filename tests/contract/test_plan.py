"""A plan says one thing only: strict types, paths in refusals, one canonical form."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.errors import ContractError, FieldError
from phalanx_contract.plan import Artifact, Cut, Ensemble, Plan, artifacts_of, encode_plan, hash_plan, parse_plan
from tests.contract.strategies import plans

DIGEST = "sha256:" + "a" * 64


def document(**changes: Any) -> dict[str, Any]:
    """A small valid plan as plain data."""
    ensemble = {
        "name": "sentiment",
        "artifact": {"uri": "file:///models/s", "digest": DIGEST},
        "cut": {"students_floor": 1, "students_ceiling": 4, "burst_loss": 0.03, "thresholds": [0.1]},
        "adapters": [{"name": "acme", "artifact": {"uri": "file:///a", "digest": DIGEST}}],
    }
    return {"namespace": "default", "pool": "gpus", "objective_p99_s": 0.02, "ensembles": [ensemble]} | changes


def refused(data: object) -> FieldError:
    with pytest.raises(FieldError) as refusal:
        parse_plan(json.dumps(data).encode())
    return refusal.value


@given(plans)
def test_any_plan_survives_the_round_trip(plan: Plan) -> None:
    assert parse_plan(encode_plan(plan)) == plan


@given(plans, plans)
def test_the_hash_is_equal_exactly_when_the_plans_are(one: Plan, other: Plan) -> None:
    assert (hash_plan(one) == hash_plan(other)) == (one == other)


@given(plans, st.data())
def test_mutated_json_is_refused_or_parsed_and_nothing_else_happens(plan: Plan, data: st.DataObject) -> None:
    raw = bytearray(encode_plan(plan))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        mutated = parse_plan(bytes(raw))
    except ContractError:
        return
    assert parse_plan(encode_plan(mutated)) == mutated


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("ensembles", 0, "cut", "students_floor"), 0, "ensembles[0].cut.students_floor"),
        (("ensembles", 0, "cut", "burst_loss"), 1.5, "ensembles[0].cut.burst_loss"),
        (("ensembles", 0, "cut", "thresholds"), [1.5], "ensembles[0].cut.thresholds[0]"),
        (("ensembles", 0, "cut", "surprise"), 1, "ensembles[0].cut"),
        (("ensembles", 0, "artifact", "digest"), "sha256:xyz", "ensembles[0].artifact.digest"),
        (("ensembles", 0, "artifact", "uri"), "models/s", "ensembles[0].artifact.uri"),
        (("ensembles", 0, "adapters", 0, "weight"), "heavy", "ensembles[0].adapters[0].weight"),
        (("ensembles", 0, "name"), "Not A Name", "ensembles[0].name"),
        (("objective_p99_s",), 0, "objective_p99_s"),
        (("pool",), "x" * 49, "pool"),
        (("format",), "phalanx.plan/v2", "format"),
    ],
)
def test_a_bad_value_is_refused_with_the_path_of_its_field(path: tuple[Any, ...], value: object, field: str) -> None:
    data: Any = document()
    target = data
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    assert refused(data).field == field


def test_a_ceiling_below_the_floor_is_refused_where_it_stands() -> None:
    data = document()
    data["ensembles"][0]["cut"] = {"students_floor": 3, "students_ceiling": 2}
    error = refused(data)
    assert error.field == "ensembles[0].cut"
    assert "students_ceiling 2 is below students_floor 3" in error.message


def test_a_candidate_is_another_artifact_than_the_one_that_serves() -> None:
    data = document()
    data["ensembles"][0]["candidate"] = {"artifact": data["ensembles"][0]["artifact"], "share": 0.1}
    assert "the candidate is the artifact that serves" in refused(data).message
    data["ensembles"][0]["candidate"]["artifact"] = {"uri": "file:///models/t", "digest": DIGEST}
    data["ensembles"][0]["candidate"]["share"] = 1.5
    assert refused(data).field == "ensembles[0].candidate.share"


def test_a_plan_without_a_candidate_is_the_one_that_older_workers_read() -> None:
    assert b"candidate" not in encode_plan(parse_plan(json.dumps(document()).encode()))


@pytest.mark.parametrize("kind", ["ensembles", "adapters"])
def test_a_name_that_is_there_twice_is_refused(kind: str) -> None:
    data = document()
    items = data["ensembles"] if kind == "ensembles" else data["ensembles"][0]["adapters"]
    items.append(items[0])
    assert "there twice" in refused(data).message


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"null", b"\xff\xfe", b'{"pool": "\xc3\x28"}'])
def test_what_is_not_a_plan_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(FieldError):
        parse_plan(raw)


@pytest.mark.parametrize("objective", [math.nan, math.inf, -1.0])
def test_a_plan_built_in_code_is_held_to_the_same_rules(objective: float) -> None:
    with pytest.raises(FieldError):
        encode_plan(Plan(namespace="default", pool="gpus", objective_p99_s=objective))


def test_a_nan_threshold_cannot_reach_a_worker() -> None:
    ensemble = Ensemble(name="s", artifact=Artifact(uri="file:///m", digest=DIGEST), cut=Cut(thresholds=(math.nan,)))
    with pytest.raises(FieldError):
        encode_plan(Plan(namespace="default", pool="gpus", objective_p99_s=1, ensembles=(ensemble,)))


def test_a_plan_names_the_artifacts_of_ensembles_candidates_and_tenants() -> None:
    data = document()
    data["ensembles"][0]["candidate"] = {"artifact": {"uri": "file:///models/next", "digest": DIGEST}}
    named = [artifact.uri for artifact in artifacts_of(parse_plan(json.dumps(data).encode()))]
    wanted = [ensemble["artifact"]["uri"] for ensemble in data["ensembles"]]
    tenants = [adapter["artifact"]["uri"] for ensemble in data["ensembles"] for adapter in ensemble.get("adapters", [])]
    assert tenants
    assert sorted(named) == sorted([*wanted, *tenants, "file:///models/next"])
