"""`kubectl phalanx drain`: evictions that a budget may refuse, one worker at a time, nothing by force."""

from __future__ import annotations

from typing import Any

import pytest

from phalanx_cli.plugin import eviction
from tests.cli.apiserver import ApiServer
from tests.cli.conftest import Run
from tests.operator.describe.samples import DRAINED

PODS = "/api/v1/namespaces/ml/pods"
NODE = "/api/v1/nodes/n1"


def pod(name: str, *, node: str = "n1", ready: bool = True, pool: str = "gpus") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{name}", "labels": {"phalanx.dev/pool": pool}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 60},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


@pytest.fixture(autouse=True)
def workers(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three workers, two of them on node n1; looks follow each other at once."""
    monkeypatch.setattr(eviction, "POLL_S", 0.0)
    pods = [pod("gpus-a"), pod("gpus-b", node="n2"), pod("gpus-c", ready=True)]
    api.lists[PODS] = api.lists["/api/v1/pods"] = pods
    api.objects[NODE] = {"metadata": {"name": "n1"}, "spec": {}}


def evicted(api: ApiServer) -> list[str]:
    return [path.split("/")[-2] for method, path, _ in api.requests if method == "POST"]


def test_a_worker_is_evicted_by_uid_and_its_replacement_waited_for(api: ApiServer, run: Run):
    api.replaced_after = 3
    done = run("drain", "pool/gpus", "--worker", "gpus-a")
    assert done.exit_code == 0, done.output
    assert evicted(api) == ["gpus-a"]
    (body,) = (body for method, _, body in api.requests if method == "POST")
    assert (body["apiVersion"], body["deleteOptions"]["preconditions"]) == ("policy/v1", {"uid": "uid-gpus-a"})
    assert tuple(done.output.splitlines()) == DRAINED
    assert not any(method == "DELETE" for method, _, _ in api.requests)


def test_while_the_budget_allows_none_it_waits_and_says_so_once(api: ApiServer, run: Run):
    api.budget_refusals = 5
    done = run("drain", "pool/gpus", "--worker", "gpus-a")
    assert evicted(api) == ["gpus-a"] * 6
    assert done.output.count("waits: pool/gpus lacks a worker already") == 1
    assert done.exit_code == 0


def test_an_old_api_server_gets_the_eviction_that_it_knows(api: ApiServer, run: Run):
    api.groups = ["policy/v1beta1"]
    run("drain", "pool/gpus", "--worker", "gpus-a")
    assert next(body for method, _, body in api.requests if method == "POST")["apiVersion"] == "policy/v1beta1"


def test_a_node_is_cordoned_first_and_its_workers_leave_one_after_the_other(api: ApiServer, run: Run):
    done = run("drain", "n1")
    assert done.exit_code == 0, done.output
    assert api.objects[NODE]["spec"] == {"unschedulable": True}
    assert evicted(api) == ["gpus-a", "gpus-c"]
    methods = [method for method, path, _ in api.requests if method in ("PATCH", "POST")]
    assert methods == ["PATCH", "POST", "POST"]
    assert "undo it with kubectl uncordon n1" in done.output


def test_a_dry_run_changes_nothing(api: ApiServer, run: Run):
    done = run("drain", "n1", "--dry-run")
    assert done.output.splitlines() == [
        "gpus-a of pool/gpus in ml would be evicted",
        "gpus-c of pool/gpus in ml would be evicted",
    ]
    assert {method for method, _, _ in api.requests} == {"GET"}


def test_what_does_not_come_back_in_time_is_named_with_what_to_do(api: ApiServer, run: Run):
    api.replaced_after = 10**9
    done = run("drain", "pool/gpus", "--worker", "gpus-a", "--timeout", "1")
    assert done.exit_code == 1
    assert "not done within 1 s: gpus-a (gone; waiting for 1 of 3 workers" in done.output
    assert "run it again to go on" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pool/gpus",), "which worker of pool/gpus?"),
        (("pool/gpus", "--worker", "other"), "has no worker other; it has: gpus-a, gpus-b, gpus-c"),
        (("ens/sentiment", "--worker", "gpus-a"), "write pool/NAME"),
        (("n9",), "could not find"),
    ],
)
def test_a_slip_is_answered_with_the_next_step_and_nothing_is_evicted(api: ApiServer, run: Run, arguments, said):
    done = run("drain", *arguments)
    assert done.exit_code != 0
    assert said in done.output
    assert evicted(api) == []


def test_a_right_that_is_missing_ends_it(api: ApiServer, run: Run):
    api.refuse["/eviction"] = (403, "pods/eviction is forbidden")
    done = run("drain", "pool/gpus", "--worker", "gpus-a")
    assert done.exit_code == 1
    assert "ask your administrator" in done.output
