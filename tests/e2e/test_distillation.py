"""`spec.distill` on a real control plane: its Job controller, its scheduler, and pods that train a tiny encoder."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.distill import tiny
from tests.e2e import resources
from tests.e2e.kube import Object
from tests.e2e.scene import Scene
from tests.e2e.test_rough_handling import operator
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "questions"
TEACHER, ROWS = f"pvc://{resources.CLAIM}/teacher", f"pvc://{resources.CLAIM}/rows.jsonl"
QUICK: Object = {
    "teacher": {"fit": {"epochs": 1, "batch_rows": 64}, "least_steps": 0},
    "students": {"fit": {"epochs": 1}},
    "transfer": {"neighbours": 0},
    "ramps": {"fit": {"epochs": 1}},
    "max_tokens": 16,
}


@pytest.fixture(scope="module")
def material(namespace: tuple[str, Path]) -> None:
    tiny.write_checkpoint(namespace[1] / "teacher")
    tiny.write_rows(namespace[1] / "rows.jsonl", tiny.rows(120))


def model(**distill: Any) -> Object:
    """One student of one row, on a GPU that the node says it has."""
    spec = {
        "pool": POOL,
        "distill": {
            "teacher": TEACHER,
            "data": ROWS,
            "output": f"pvc://{resources.CLAIM}/results",
            "students": 1,
            "rows": 1,
            "settings": QUICK,
            "resources": {"limits": {"nvidia.com/gpu": 1}},
            "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
        }
        | distill,
    }
    return {"apiVersion": "phalanx.dev/v1alpha1", "kind": "StudentEnsemble", "metadata": {"name": MODEL}, "spec": spec}


async def jobs(scene: Scene) -> list[Object]:
    return await scene.kube.items(f"/apis/batch/v1/namespaces/{scene.namespace}/jobs")


async def digest(scene: Scene) -> str:
    result: Object = (await scene.status("StudentEnsemble", MODEL))["distill"]["result"]
    return str(result["digest"])


async def answers(scene: Scene) -> str:
    """The digest that the worker serves, once it answers with a label of the rows."""
    worker = (await scene.pod(POOL)).worker
    response = await worker.infer(MODEL, ["the cat is near"])
    if response.status != 200:
        raise NotYet(str(response))
    assert set(response.answers.labels) <= set(tiny.CLUES)
    return next(report.digest for report in (await worker.status()).ensembles if report.name == MODEL)


async def told(scene: Scene, *words: str, reason: str = "") -> None:
    """Wait until the condition Distilled says this."""

    async def probe() -> None:
        condition = await scene.condition("StudentEnsemble", MODEL, "Distilled")
        if reason not in ("", condition["reason"]) or not all(word in condition["message"] for word in words):
            raise NotYet(str(condition))

    await eventually(probe, within_s=60)


async def trainer() -> psutil.Process:
    """The process of the Job's pod."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "distill-job" in words and not any("tether" in str(word) for word in words):
            return process
    raise NotYet("no pod distils")


def logs(scene: Scene, job: Object) -> list[str]:
    """What the pods of a Job printed, the first one's first."""
    pods = scene.cluster.pods
    assert pods is not None
    files = pods.glob(f"{scene.namespace}-{job['metadata']['name']}-*/output.log")
    return [file.read_text() for file in sorted(files, key=lambda file: file.stat().st_ctime)]


async def test_a_teacher_and_rows_become_an_ensemble_that_answers(scene: Scene, material: None):
    await scene.apply(resources.pool(POOL, distillation="Allowed"), model())
    await scene.ready("StudentEnsemble", MODEL, within_s=120)
    status = await scene.status("StudentEnsemble", MODEL)
    result = status["distill"]["result"]
    assert (result["students"], result["rows"]) == (1, 1)
    assert status["artifact"]["digest"] == result["digest"] == await answers(scene)
    (job,) = await jobs(scene)
    assert job["metadata"]["name"] == status["distill"]["job"]
    assert job["status"]["succeeded"] == 1


async def test_a_result_outlives_its_job(scene: Scene, material: None):
    before = await digest(scene)
    scene.cluster.kubectl("delete", "jobs", "--all", "-n", scene.namespace)
    os.kill(operator().pid, signal.SIGKILL)
    # Something to decide anew, so that a round of the new operator is seen to be over.
    await scene.patch("StudentEnsemble", MODEL, {"accuracy": {"loss": 0.5, "burstLoss": 1}})
    await scene.ready("StudentEnsemble", MODEL)
    assert (await digest(scene), await jobs(scene)) == (before, [])


async def test_a_failed_distillation_says_what_its_pod_said_and_the_earlier_result_serves(scene: Scene, material: None):
    before = await digest(scene)
    await scene.apply(model(retries=0, settings=QUICK | {"max_tokens": 4}))
    await told(scene, "max_tokens", "spec.distill.attempt", reason="DistillationFailed")
    assert (await scene.condition("StudentEnsemble", MODEL, "Ready"))["reason"] == "NotDistilled"
    assert await answers(scene) == before
    await scene.apply(model())
    await scene.ready("StudentEnsemble", MODEL)
    assert await digest(scene) == before


async def test_a_pod_that_is_killed_is_replaced_and_the_next_one_goes_on(scene: Scene, material: None):
    """The operator is killed with it; the earlier result serves meanwhile."""
    before = await digest(scene)
    await scene.apply(model(settings=slow(120)))
    await told(scene, "teacher: ", "% done", reason="Distilling")
    await eventually(lambda: snapshot(scene), within_s=30)
    os.kill((await trainer()).pid, signal.SIGKILL)
    os.kill(operator().pid, signal.SIGKILL)
    await told(scene, "tries before failed", "137")
    assert await answers(scene) == before
    await scene.ready("StudentEnsemble", MODEL, within_s=120)
    after = await digest(scene)
    assert after != before
    assert await answers(scene) == after
    (job,) = await jobs(scene)
    assert (job["status"]["failed"], job["status"]["succeeded"]) == (1, 1)
    first, second = logs(scene, job)
    assert "going on with what" not in first
    assert "going on with what" in second


async def test_a_pod_that_is_evicted_is_replaced_and_the_next_one_goes_on(scene: Scene, material: None):
    """As by `kubectl drain`; it is not counted as a try that failed."""
    before = await digest(scene)
    await scene.apply(model(retries=0, settings=slow(121)))
    await told(scene, "teacher: ", "% done", reason="Distilling")
    await eventually(lambda: snapshot(scene), within_s=30)
    (node,) = await scene.kube.items("/api/v1/nodes")
    (job,) = [each for each in await jobs(scene) if "completionTime" not in each["status"]]
    selector = f"--pod-selector=job-name={job['metadata']['name']}"
    scene.cluster.kubectl("drain", node["metadata"]["name"], selector, "--delete-emptydir-data", "--timeout=60s")
    assert await answers(scene) == before
    scene.cluster.kubectl("uncordon", node["metadata"]["name"])
    await scene.ready("StudentEnsemble", MODEL, within_s=120)
    after = await digest(scene)
    assert after != before
    assert await answers(scene) == after
    job = await scene.kube.get(f"/apis/batch/v1/namespaces/{scene.namespace}/jobs/{job['metadata']['name']}")
    assert (job["status"].get("failed", 0), job["status"]["succeeded"]) == (0, 1)
    first, second = logs(scene, job)
    assert "going on with what" not in first
    assert "going on with what" in second


def slow(epochs: int) -> Object:
    """Settings of a run that can be interrupted: every epoch leaves a snapshot. Another number is another run."""
    return QUICK | {"teacher": {"fit": {"epochs": epochs, "batch_rows": 8}, "least_steps": 0}}


async def snapshot(scene: Scene) -> None:
    """Something to go on from lies beside the output."""
    if not any((scene.folder / "results").glob("*.work/**/teacher.safetensors")):
        raise NotYet("no epoch is over")
