"""What holds in every cluster, with real pods as with processes: seen through kubectl alone."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.e2e import resources
from tests.e2e.cluster import SYSTEM, Cluster
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "encoders", "elsewhere"
OPERATOR = f"system:serviceaccount:{SYSTEM}:phalanx-operator"


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("watch", "studentensembles.phalanx.dev", True),
        ("patch", "studentensembles.phalanx.dev --subresource=status", True),
        ("patch", "studentensembles.phalanx.dev", False),
        ("delete", "servingpools.phalanx.dev", False),
        ("patch", "deployments.apps", True),
        ("delete", "configmaps", True),
        ("delete", "deployments.apps", False),
        ("delete", "services", False),
        ("watch", "secrets", False),
        ("get", "secrets", True),
        ("list", "secrets", False),
        ("create", "pods", False),
        ("create", "pods --subresource=exec", False),
        ("create", "rolebindings.rbac.authorization.k8s.io", False),
    ],
)
def test_the_operator_may_do_what_it_has_to_and_no_more(release: Cluster, verb, resource, allowed):
    printed = release.kubectl("auth", "can-i", verb, *resource.split(), "--as", OPERATOR, check=False)
    assert printed.split()[0] == ("yes" if allowed else "no"), printed


async def test_an_artifact_that_cannot_be_fetched_is_reported_and_the_pool_goes_as_a_whole(release: Cluster, namespace):
    name = namespace[0]

    def show(what: str) -> dict:
        return json.loads(release.kubectl("get", what, "-n", name, "-o", "json"))

    pool = resources.pool(POOL, worker={"terminationGracePeriodSeconds": 5}, artifacts={})
    ensemble = resources.ensemble(MODEL, pool=POOL, path="x", digest="sha256:" + "3" * 64)
    ensemble["spec"]["artifact"]["uri"] = "http://127.0.0.1:9/models/x"
    release.kubectl("apply", "-n", name, "-f", "-", stdin=yaml.safe_dump_all([pool, ensemble]))

    async def reported() -> dict:
        conditions = show(f"studentensemble/{MODEL}").get("status", {}).get("conditions", [])
        by_type = {condition["type"]: condition for condition in conditions}
        if by_type.get("Loaded", {}).get("reason") != "FetchFailed":
            raise NotYet(str(conditions))
        return by_type

    conditions = await eventually(reported, within_s=120, every_s=1)
    assert conditions["Accepted"]["status"] == "True"
    assert conditions["Ready"]["status"] == "False"
    assert "spec.artifact.uri" in conditions["Loaded"]["message"]
    assert show(f"deployment/{POOL}")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False

    release.kubectl("delete", "-n", name, f"servingpool/{POOL}", f"studentensemble/{MODEL}", "--timeout=30s")

    async def gone() -> None:
        kinds = "deployments,replicasets,pods,services,poddisruptionbudgets"
        left = release.kubectl("get", kinds, "-n", name, "-l", f"phalanx.dev/pool={POOL}", "-o", "name")
        assert left == ""

    await eventually(gone, within_s=120, every_s=1)
