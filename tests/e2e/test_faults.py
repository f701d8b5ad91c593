"""What keeps workers from coming, or from taking a new artifact: told with a next step, while those there answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.e2e import resources
from tests.e2e.artifacts import Answers, Artifact, make_ensemble
from tests.e2e.client import Worker
from tests.e2e.gpus import taken
from tests.e2e.kube import Object
from tests.e2e.node.images import UNPULLABLE
from tests.e2e.scene import LABEL_POOL, Scene, process_of
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"
WORKERS = 2
"""With one, the default of taking a worker down before its successor starts would leave none."""
TOLD_S = 60.0


@pytest.fixture(scope="module")
def artifact(namespace) -> Artifact:
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture
async def whole(scene: Scene, artifact: Artifact) -> AsyncIterator[Scene]:
    """A pool whose workers all serve; whatever a test did to it is undone first."""
    pool = resources.pool(POOL, replicas={"min": WORKERS, "max": WORKERS})
    await scene.apply(pool, resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest))
    await scene.patch("ServingPool", POOL, worker_with(image=None))
    await complete(scene)
    yield scene


async def complete(scene: Scene) -> None:
    async def probe() -> None:
        condition = await scene.condition("ServingPool", POOL, "Complete")
        if condition["status"] != "True" or len(await workers(scene)) != WORKERS:
            raise NotYet(str(condition))

    await eventually(probe, within_s=120)
    await scene.ready("ServingPool", POOL)
    await scene.ready("StudentEnsemble", MODEL)


async def workers(scene: Scene) -> list[Object]:
    """The pods that are ready."""
    path = f"/api/v1/namespaces/{scene.namespace}/pods?labelSelector={LABEL_POOL}%3D{POOL}"
    pods = [pod for pod in await scene.kube.items(path) if "deletionTimestamp" not in pod["metadata"]]
    return [
        pod
        for pod in pods
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    ]


async def still_answers(scene: Scene, expected: Answers) -> None:
    ready = await workers(scene)
    assert ready, "no worker is left"
    for pod in ready:
        response = await Worker(f"http://{pod['status']['podIP']}:8080").infer(MODEL)
        assert (response.status, response.answers.labels) == (200, expected.labels)


async def told(scene: Scene, kind: str, name: str, condition: str, reason: str) -> str:
    """Wait until the condition is False for this reason; returns its message."""

    async def probe() -> str:
        found = await scene.condition(kind, name, condition)
        if (found["status"], found["reason"]) != ("False", reason):
            raise NotYet(f"{found}; {(await scene.status(kind, name))['conditions']}")
        return str(found["message"])

    return await eventually(probe, within_s=TOLD_S)


def plugin(scene: Scene) -> str:
    """`kubectl phalanx status`."""
    code = "from phalanx_cli.plugin.main import run; run()"
    environment = {
        **os.environ,
        "KUBECONFIG": str(scene.cluster.kubeconfig),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-c", code, "status", "-n", scene.namespace]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    # 1 says that something is not served.
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


async def listed(scene: Scene, words: str) -> None:
    """Wait until the plugin says so: what has crashed once runs for a moment, and nothing is wrong with it then."""

    async def probe() -> None:
        if words not in (table := plugin(scene)):
            raise NotYet(table)

    await eventually(probe, within_s=TOLD_S, every_s=1.0)


async def deployment(scene: Scene, spec: Object) -> None:
    await scene.kube.merge(f"/apis/apps/v1/namespaces/{scene.namespace}/deployments/{POOL}", {"spec": spec})


def worker_with(*env: Object, **more: Any) -> Object:
    """A change of the pool's worker: more variables, and other fields."""
    base: Object = resources.pool(POOL)["spec"]["worker"]
    return {"worker": {**base, "env": [*base["env"], *env], **more}}


async def test_an_image_that_cannot_be_pulled_is_told_and_the_other_worker_answers(whole: Scene, artifact: Artifact):
    image = f"{UNPULLABLE}worker:9"
    await whole.patch("ServingPool", POOL, {"worker": {"image": image}})
    message = await told(whole, "ServingPool", POOL, "Complete", "ImageNotPulled")
    assert f"image {image} cannot be pulled; 1 ready ones go on serving" in message
    await listed(whole, "spec.worker.imagePullSecrets")
    assert (await whole.condition("ServingPool", POOL, "Ready"))["reason"] == "NotComplete"
    await still_answers(whole, artifact.answers())
    await whole.patch("ServingPool", POOL, {"worker": {"image": None}})
    await complete(whole)


async def test_a_worker_that_crashes_after_a_rollout_is_told_and_the_other_one_answers(
    whole: Scene, artifact: Artifact
):
    await whole.patch("ServingPool", POOL, worker_with({"name": "PHALANX_WORKER_DRAIN_LAG_S", "value": "long"}))
    message = await told(whole, "ServingPool", POOL, "Complete", "WorkersCrashing")
    assert f"1 of {WORKERS} workers" in message
    await listed(whole, "kubectl logs POD --previous")
    await still_answers(whole, artifact.answers())
    await whole.patch("ServingPool", POOL, worker_with())
    await complete(whole)


async def test_a_rollout_without_progress_is_told_in_the_deployments_words(whole: Scene, artifact: Artifact):
    """A pod that nothing is said of, but that never becomes ready: its Secret is not there."""
    await deployment(whole, {"progressDeadlineSeconds": 3})
    missing = {"secretKeyRef": {"name": "nowhere", "key": "token"}}
    await whole.patch("ServingPool", POOL, worker_with({"name": "TOKEN", "valueFrom": missing}))
    message = await told(whole, "ServingPool", POOL, "Complete", "UpdateStuck")
    assert "has timed out progressing" in message
    await listed(whole, "set `spec.worker` to what it was")
    await still_answers(whole, artifact.answers())
    await deployment(whole, {"progressDeadlineSeconds": 600})
    await whole.patch("ServingPool", POOL, worker_with())
    await complete(whole)


async def test_a_gpu_that_others_took_is_told_and_the_workers_there_are_answer(whole: Scene, artifact: Artifact):
    async with taken(whole.kube, whole.namespace):
        await whole.patch("ServingPool", POOL, {"replicas": {"min": WORKERS + 1, "max": WORKERS + 1}})
        message = await told(whole, "ServingPool", POOL, "Complete", "WorkersUnschedulable")
        assert "Insufficient nvidia.com/gpu" in message
        await listed(whole, "free a GPU")
        await still_answers(whole, artifact.answers())

    async def come() -> None:
        if len(await workers(whole)) != WORKERS + 1:
            raise NotYet("the third worker is not ready")

    await eventually(come, within_s=90)


async def test_a_full_volume_is_told_and_the_old_artifact_answers(whole: Scene, artifact: Artifact):
    old = artifact.answers()
    new = make_ensemble(whole.folder / "new", seed=1)
    with full([process_of(pod["metadata"]["name"]) for pod in await workers(whole)]):
        changed = {"uri": f"pvc://{resources.CLAIM}/new", "digest": new.digest}
        await whole.patch("StudentEnsemble", MODEL, {"artifact": changed})
        message = await told(whole, "StudentEnsemble", MODEL, "Loaded", "CacheFull")
        assert message.startswith("spec.artifacts.cacheSize of the pool: no room for pvc://")
        await listed(whole, "CacheFull")
        await still_answers(whole, old)

    async def changed_over() -> None:
        await still_answers(whole, new.answers())

    await eventually(changed_over, within_s=TOLD_S)
    await whole.ready("StudentEnsemble", MODEL)


@contextmanager
def full(processes: list[psutil.Process]) -> Iterator[None]:
    """The kernel lets these write no file as large as an artifact, as a volume without room does."""
    before = {process: process.rlimit(psutil.RLIMIT_FSIZE) for process in processes}
    for process, limit in before.items():
        process.rlimit(psutil.RLIMIT_FSIZE, (32768, limit[1]))
    try:
        yield
    finally:
        for process, limit in before.items():
            process.rlimit(psutil.RLIMIT_FSIZE, limit)
