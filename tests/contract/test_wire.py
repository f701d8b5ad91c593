"""A plan arrives whole or not at all."""

from __future__ import annotations

import gzip
import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.errors import ContractError, FieldError, IntegrityError
from phalanx_contract.limits import MAX_PARTS, MAX_PLAN_BYTES
from phalanx_contract.plan import Adapter, Artifact, Ensemble, Plan, hash_plan
from phalanx_contract.wire import HEADER_KEY, Header, pack, part_key, unpack
from tests.contract.strategies import plans


def mounted(config_maps: list[dict[str, bytes]]) -> dict[str, bytes]:
    """All ConfigMaps in one folder, as a projected volume shows them."""
    return {name: content for files in config_maps for name, content in files.items()}


def crowded(tenants: int) -> Plan:
    """A plan whose digests do not compress, as real ones do not."""
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(tenants)]
    adapters = tuple(
        Adapter(name=f"tenant-{number}", artifact=Artifact(uri=f"s3://a/{number}", digest=f"sha256:{digest}"))
        for number, digest in enumerate(digests)
    )
    base = Artifact(uri="s3://m", digest=f"sha256:{digests[0]}")
    return Plan(
        namespace="default",
        pool="gpus",
        objective_p99_s=0.02,
        ensembles=(Ensemble(name="s", artifact=base, adapters=adapters),),
    )


@given(plans, st.integers(64, 4096))
def test_any_plan_survives_packing_into_parts_of_any_size(plan: Plan, max_part_bytes: int) -> None:
    try:
        plan_hash, config_maps = pack(plan, max_part_bytes=max_part_bytes)
    except FieldError as refusal:
        assert "parts" in refusal.message
        return
    assert unpack(mounted(config_maps)) == (plan_hash, plan)
    assert plan_hash == hash_plan(plan)
    assert all(len(files[part_key(index)]) <= max_part_bytes for index, files in enumerate(config_maps))


@given(plans)
def test_packing_is_deterministic(plan: Plan) -> None:
    assert pack(plan) == pack(plan)


@given(plans, st.data())
def test_a_mutated_document_is_refused_or_equal(plan: Plan, data: st.DataObject) -> None:
    _, config_maps = pack(plan, max_part_bytes=512)
    files = mounted(config_maps)
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    how = data.draw(st.sampled_from(["flip", "cut", "add", "remove"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if how == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif how == "cut":
        del content[place:]
    elif how == "add":
        content.insert(place, data.draw(st.integers(0, 255)))
    files[name] = bytes(content)
    if how == "remove":
        del files[name]
    try:
        _, received = unpack(files)
    except ContractError:
        return
    assert received == plan


def test_a_torn_update_is_refused_until_the_last_part_is_there() -> None:
    old = mounted(pack(crowded(200), max_part_bytes=4096)[1])
    new = mounted(pack(crowded(201), max_part_bytes=4096)[1])
    last = max(name for name in new if name != HEADER_KEY)
    torn = {**old, **new, last: old.get(last, b"")}
    with pytest.raises(IntegrityError, match=last):
        unpack(torn)
    assert unpack({**old, **new})[1] == crowded(201)


def test_parts_left_over_from_a_larger_plan_are_ignored() -> None:
    large = mounted(pack(crowded(400), max_part_bytes=4096)[1])
    small = mounted(pack(crowded(2), max_part_bytes=4096)[1])
    assert unpack({**large, **small})[1] == crowded(2)


def test_ten_thousand_tenants_fit_the_mounted_parts() -> None:
    _, config_maps = pack(crowded(10_000))
    assert 1 <= len(config_maps) <= MAX_PARTS
    assert unpack(mounted(config_maps))[1] == crowded(10_000)


def test_a_small_document_cannot_inflate_without_bound() -> None:
    bomb = gzip.compress(b" " * (MAX_PLAN_BYTES + 1))
    header = Header(hash="sha256:" + "0" * 64, parts=(hashlib.sha256(bomb).hexdigest(),))
    with pytest.raises(IntegrityError, match="inflates"):
        unpack({HEADER_KEY: msgspec.json.encode(header), part_key(0): bomb})


def test_no_header_is_said_by_name() -> None:
    with pytest.raises(IntegrityError, match=HEADER_KEY):
        unpack({})
