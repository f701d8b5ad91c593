"""The small pure parts of a round."""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.decide.types import Deployed
from phalanx_operator.errors import ClusterError, FencedError
from phalanx_operator.observe.store import Store
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.drift import contains
from phalanx_operator.reconcile.feed import Feed
from phalanx_operator.reconcile.keys import api_key_of
from phalanx_operator.reconcile.memo import Memo, Shelf
from phalanx_operator.reconcile.relations import orphans
from phalanx_operator.reconcile.reporting import Report, publish, turns
from phalanx_operator.reconcile.workers import PASSING_S, deployed_of, worker_views
from tests.operator.objects import adapter, ensemble, pool

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_everything_contains_itself(value):
    assert contains(value, copy.deepcopy(value))


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.text(min_size=4, max_size=5), JSON)
def test_what_the_server_adds_is_no_drift_and_what_it_lacks_is(wanted, name, value):
    assert contains({**wanted, name: value}, wanted)
    assert contains(wanted, {**wanted, name: value}) == (value in ({}, [], None))


def test_a_changed_value_deep_inside_is_drift():
    wanted = {"spec": {"ports": [{"port": 8080}]}}
    assert contains({"spec": {"ports": [{"port": 8080, "protocol": "TCP"}], "type": "ClusterIP"}}, wanted)
    assert not contains({"spec": {"ports": [{"port": 8081}]}}, wanted)
    assert not contains({"spec": {"ports": []}}, wanted)


@given(st.floats(0.01, 10), st.floats(1.5, 4), st.integers(1, 200))
def test_waits_grow_up_to_the_maximum(initial_s, factor, failures):
    backoff = Backoff(initial_s=initial_s, factor=factor, max_s=60.0)
    waits = []
    for _ in range(failures):
        backoff = backoff.failed()
        waits.append(backoff.delay_s)
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(initial_s)
    assert waits[-1] <= 60.0
    assert backoff.failed(after_s=60.0).delay_s == waits[0], "a long success starts again"
    assert backoff.succeeded().delay_s == 0


def secret(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "key", "namespace": "default", "uid": "u"}, "data": data}


def test_a_key_is_salted_with_the_secrets_identity():
    encoded = base64.b64encode(b"hunter2").decode()
    key = api_key_of(secret(apiKey=encoded))
    assert key is not None
    assert key.sha256 == hashlib.sha256(bytes.fromhex(key.salt) + b"hunter2").hexdigest()
    assert key == api_key_of(secret(apiKey=encoded))
    other = secret(apiKey=encoded)
    other["metadata"]["uid"] = "v"
    assert api_key_of(other) != key


@pytest.mark.parametrize("data", [{}, {"apiKey": ""}, {"apiKey": "not base64!"}, {"key": "aHVudGVyMg=="}])
def test_a_secret_without_a_usable_key_is_no_key(data):
    assert api_key_of(secret(**data)) is None


def marks_of(store: Store, change: Any) -> set[str]:
    marked: set[str] = set()
    change(Feed(store, lambda key: marked.add(key.name)))
    return marked


def test_an_object_marks_the_pools_that_it_concerns():
    store = Store([pool("gpus"), pool("cpus"), ensemble(), adapter()])
    assert marks_of(store, lambda feed: feed.mark(adapter())) == {"gpus"}
    assert marks_of(store, lambda feed: feed.put(ensemble(pool="cpus"))) == {"gpus"}, "the pool that it left"
    assert marks_of(store, lambda feed: feed.mark(ensemble(pool="cpus"))) == {"cpus"}
    assert marks_of(store, lambda feed: feed.mark(adapter(ensemble="nobody"))) == {"acme"}, "for the sweep"


@pytest.mark.parametrize("spec", [{"pool": 7}, {"pool": None}, {"pool": ["a"]}])
def test_references_that_are_no_names_belong_to_nobody(spec):
    bad = ensemble()
    bad["spec"] |= spec
    assert [each["metadata"]["name"] for each in orphans(Store([pool(), bad]))] == ["sentiment"]


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def test_pods_that_end_or_are_done_are_no_workers():
    ending = pod("ending", phase="Running")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    views = worker_views([ending, pod("evicted", phase="Failed"), pod("b", phase="Running"), pod("a")], {}, now=0.0)
    assert [view.name for view in views] == ["a", "b"]


def test_what_is_wrong_with_a_pod_is_told():
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 5m"}
    unschedulable = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes have a GPU"}
    crashing, lost, starting = worker_views(
        [
            pod("a", phase="Running", containerStatuses=[{"state": {"waiting": waiting}}]),
            pod("b", phase="Pending", conditions=[unschedulable]),
            pod("c", phase="Pending", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}]),
        ],
        {},
        now=0.0,
    )
    assert (crashing.problem, crashing.message) == (Reason.WORKERS_CRASHING, "CrashLoopBackOff: back-off 5m")
    assert (lost.problem, lost.message) == (Reason.WORKERS_UNSCHEDULABLE, "0/3 nodes have a GPU")
    assert starting.problem is None


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled_is_told_in_the_same_words_while_the_kubelet_tries_and_waits_in_turn(reason):
    waiting = {"waiting": {"reason": reason, "message": f"words of {reason}"}}
    (view,) = worker_views([pod("a", containerStatuses=[{"image": "w:2", "state": waiting}])], {}, now=0.0)
    assert (view.problem, view.message) == (Reason.IMAGE_NOT_PULLED, "image w:2 cannot be pulled")


def test_a_pod_that_has_no_node_for_a_moment_or_while_another_ends_waits_for_its_turn():
    said = {"type": "PodScheduled", "status": "False", "lastTransitionTime": "1970-01-01T00:01:40Z"}
    waiting, ending = pod("a", conditions=[said]), pod("b", phase="Running")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    def lasts(*pods, now):
        return worker_views(pods, {}, now=now)[0].lasts

    assert not lasts(waiting, now=100.0 + PASSING_S - 1)
    assert lasts(waiting, now=100.0 + PASSING_S)
    assert not lasts(waiting, ending, now=100.0 + 10 * PASSING_S)
    assert lasts(pod("c", containerStatuses=[]), now=0.0), "what is no matter of nodes"


def test_what_the_deployment_says_of_its_rollout_is_taken_over():
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "no progress"}
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    status = {"observedGeneration": 3, "replicas": 4, "updatedReplicas": 1, "conditions": [stuck, refused]}
    deployment = {"metadata": {"generation": 3}, "status": status}
    assert deployed_of(deployment) == Deployed(outdated=3, stuck="no progress", refused="exceeded quota")
    # The controller has not seen the new spec yet: all pods are of an earlier one, and what it said is about that.
    assert deployed_of(deployment | {"metadata": {"generation": 4}}) == Deployed(outdated=4, refused="exceeded quota")
    assert deployed_of(None) == deployed_of({"metadata": {}}) == Deployed()


@pytest.mark.parametrize(
    ("restarts", "code", "ready", "crashes"),
    [(2, 1, False, True), (1, 1, False, False), (2, 0, False, False), (5, 137, True, False)],
)
def test_a_worker_that_ends_again_and_again_crashes_also_while_it_runs_for_a_moment(restarts, code, ready, crashes):
    container = {
        "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": code}},
        "restartCount": restarts,
        "ready": ready,
    }
    (view,) = worker_views([pod("a", phase="Running", containerStatuses=[container])], {}, now=0.0)
    assert view.problem is (Reason.WORKERS_CRASHING if crashes else None)
    assert not crashes or view.message == f"restarted {restarts} times, ended last with exit code {code}"


@pytest.mark.parametrize(
    ("container", "started"),
    [
        ({"state": {"running": {}}}, True),
        ({"state": {"terminated": {"exitCode": 0}}}, True),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 1}, True),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0}, False),
    ],
)
def test_a_worker_has_started_once_its_node_made_a_container_of_it(container, started):
    (view,) = worker_views([pod("a", phase="Pending", containerStatuses=[container])], {}, now=0.0)
    assert view.started is started
    assert not worker_views([pod("a")], {}, now=0.0)[0].started


def status(**conditions: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": value, "reason": reason, "message": "m", "lastTransitionTime": since}
            for kind, (value, reason, since) in conditions.items()
        ]
    }


def test_workers_that_crash_from_their_start_are_an_event_and_those_that_start_are_none():
    starting = status(Ready=("False", "NotAvailable", "1"), Available=("False", "WorkersStarting", "1"))
    crashing = status(Ready=("False", "NotAvailable", "1"), Available=("False", "WorkersCrashing", "1"))
    assert [(note.reason, note.warning) for note in turns(starting, crashing)] == [("WorkersCrashing", True)]
    assert list(turns({}, starting)) == list(turns(crashing, crashing)) == []


def test_becoming_ready_is_an_event_and_a_swap_to_a_new_plan_is_none():
    loading = status(Ready=("False", "NotLoaded", "1"), Loaded=("False", "Loading", "1"))
    first = status(Ready=("False", "PlanPending", "1"), Loaded=("True", "Serving", "2"))
    ready = status(Ready=("True", "Serving", "3"), Loaded=("True", "Serving", "2"))
    swapping = status(Ready=("False", "PlanPending", "4"), Loaded=("True", "Serving", "2"))
    assert [note.reason for note in turns(loading, ready)] == ["Ready"]
    assert [note.reason for note in turns(first, ready)] == ["Ready"]
    assert list(turns(ready, swapping)) == list(turns(swapping, ready)) == []


def test_losing_readiness_and_failing_to_load_are_warnings_told_once():
    ready = status(Ready=("True", "Serving", "3"), Loaded=("True", "Serving", "2"))
    failed = status(Ready=("False", "NotLoaded", "4"), Loaded=("False", "DigestMismatch", "4"))
    notes = list(turns(ready, failed))
    assert [note.reason for note in notes] == ["DigestMismatch", "NotLoaded"]
    assert all(note.warning for note in notes)
    assert list(turns(failed, failed)) == []


def test_metrics_that_go_are_a_warning_and_a_pool_that_never_had_any_has_lost_none():
    fresh = status(MetricsAvailable=("True", "MetricsFresh", "1"))
    stale = status(MetricsAvailable=("False", "MetricsStale", "2"))
    assert [(note.reason, note.warning) for note in turns(fresh, stale)] == [("MetricsStale", True)]
    assert [(note.reason, note.warning) for note in turns(stale, fresh)] == [("MetricsFresh", False)]
    unreachable = status(MetricsAvailable=("False", "MetricsUnreachable", "2"))
    assert list(turns({}, stale)) == list(turns(stale, unreachable)) == []


def test_keys_read_as_people_write_them():
    assert str(Key("default", "gpus")) == "default/gpus"


def test_a_memo_computes_again_only_where_its_inputs_differ():
    memo, computed = Memo[int](), []

    def compute(value: int) -> int:
        computed.append(value)
        return value

    results = [memo.of((value, {"name": value}), lambda value=value: compute(value)) for value in (1, 1, 2, 2, 1)]
    assert (results, computed) == ([1, 1, 2, 2, 1], [1, 2, 1])


def test_a_shelf_keeps_one_result_for_each_key_and_forgets_those_that_are_gone():
    shelf, computed = Shelf[str](), []

    def compute(text: str) -> str:
        computed.append(text)
        return text

    for key, inputs in (("a", 1), ("b", 1), ("a", 1), ("a", 2)):
        assert shelf.of(key, inputs, lambda text=f"{key}{inputs}": compute(text)) == f"{key}{inputs}"
    assert computed == ["a1", "b1", "a2"]
    shelf.keep(["b"])
    assert len(shelf) == 1


@pytest.mark.parametrize(("failure", "tried"), [(ClusterError, ["a", "b", "c"]), (FencedError, ["a"])])
async def test_a_failure_keeps_no_other_status_from_being_written_but_a_closed_fence_does(failure, tried):
    class Failing:
        def __init__(self) -> None:
            self.tried: list[str] = []

        async def write_status(self, obj: Manifest, status: Manifest) -> None:
            self.tried.append(obj["metadata"]["name"])
            raise failure(obj["metadata"]["name"])

    cluster: Any = Failing()
    reports = [Report(adapter(name), {"observedGeneration": 1}) for name in "abc"]
    with pytest.raises(failure, match="a"):
        await publish(cluster, reports)
    assert cluster.tried == tried
