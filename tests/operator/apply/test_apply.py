"""What goes over the wire to an API server, and what becomes of its refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_operator.api.types import Key
from phalanx_operator.apply import objects
from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.discovery import served_versions
from phalanx_operator.apply.paths import item
from phalanx_operator.apply.status import merge_patch, write_status

VALUES = st.integers(0, 3) | st.text(max_size=2) | st.lists(st.integers(0, 2), max_size=2)
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), VALUES | inner, max_size=3),
    max_leaves=8,
)


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gpus", "namespace": "ml", "uid": "u-1"},
    "spec": {"replicas": 1},
}
PATH = "/apis/apps/v1/namespaces/ml/deployments/gpus"


async def test_apply_is_server_side_with_one_manager(api, server):
    server.answers[f"PATCH {PATH}"] = (200, {"kind": "Deployment"})
    assert await objects.apply(api, DEPLOYMENT) == {"kind": "Deployment"}
    (request,) = server.requests
    expected = f"{PATH}?fieldManager=phalanx-operator&force=true"
    assert request == ("PATCH", expected, "application/apply-patch+yaml", DEPLOYMENT)


async def test_a_refusal_carries_the_servers_words(api, server):
    refusal = {"kind": "Status", "reason": "Invalid", "message": "spec.replicas: must be positive"}
    server.answers[f"PATCH {PATH}"] = (422, refusal)
    with pytest.raises(ApiError, match=r"deployments/gpus: spec\.replicas: must be positive") as caught:
        await objects.apply(api, DEPLOYMENT)
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null"])
async def test_an_error_page_that_is_no_status_is_an_error_all_the_same(api, server, body):
    server.answers[f"PATCH {PATH}"] = (502, body)
    with pytest.raises(ApiError, match="HTTP 502"):
        await objects.apply(api, DEPLOYMENT)


async def test_a_server_that_is_down_is_an_error_without_a_status():
    api = KubeApi(ApiClient(Configuration(host="http://127.0.0.1:1")))
    with pytest.raises(ApiError) as caught:
        await objects.apply(api, DEPLOYMENT)
    assert caught.value.status == 0
    await api.close()


@pytest.mark.parametrize(("status", "deleted"), [(200, True), (404, False), (409, False)])
async def test_deletion_is_of_this_very_object(api, server, status, deleted):
    server.answers[f"DELETE {PATH}"] = (status, {})
    assert await objects.delete(api, DEPLOYMENT) is deleted
    assert server.requests[0][3]["preconditions"] == {"uid": "u-1"}


async def test_touching_a_pod_that_is_gone_is_no_error(api, server):
    path = item("v1", "Pod", "ml", "gpus-0")
    assert await objects.touch_plan(api, Key("ml", "gpus-0"), "sha256:1") is True
    assert server.requests[0][3] == {"metadata": {"annotations": {"phalanx.dev/plan": "sha256:1"}}}
    server.answers[f"PATCH {path}"] = (404, {})
    assert await objects.touch_plan(api, Key("ml", "gpus-0"), "sha256:1") is False
    server.answers[f"PATCH {path}"] = (403, {"message": "forbidden"})
    with pytest.raises(ApiError, match="forbidden"):
        await objects.touch_plan(api, Key("ml", "gpus-0"), "sha256:1")


async def test_a_status_is_written_when_it_changed_and_only_what_changed(api, server):
    obj = {**DEPLOYMENT, "status": {"replicas": 1, "old": True}}
    assert await write_status(api, obj, {"replicas": 1, "old": True}) is False
    assert server.requests == []
    assert await write_status(api, obj, {"replicas": 2}) is True
    method, path, kind, body = server.requests[0]
    assert (method, kind) == ("PATCH", "application/merge-patch+json")
    assert path.startswith(f"{PATH}/status?")
    assert body == {"status": {"replicas": 2, "old": None}}


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_makes_the_old_into_the_new(old, new):
    assert _merged(old, merge_patch(old, new)) == new


@given(OBJECTS)
def test_equal_objects_need_no_patch(value):
    assert merge_patch(value, value) == {}


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


async def test_both_generations_of_a_group_are_found(api, server):
    versions = [{"groupVersion": "policy/v1"}, {"groupVersion": "policy/v1beta1"}]
    server.answers["GET /apis"] = (200, {"groups": [{"name": "policy", "versions": versions}]})
    assert await served_versions(api) == {"v1", "policy/v1", "policy/v1beta1"}
