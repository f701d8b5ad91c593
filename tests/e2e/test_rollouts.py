"""A new artifact under traffic: promoted without a failed request, or never in the place of the one that serves."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import psutil
import pytest

from tests.e2e import resources
from tests.e2e.artifacts import Artifact, make_ensemble
from tests.e2e.client import Worker
from tests.e2e.kube import Object
from tests.e2e.scene import Scene, process_of
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "mood"


@pytest.fixture(scope="module")
def artifacts(namespace) -> dict[str, Artifact]:
    """`old` and `twin` answer alike, `other` does not, and `corrupt` was damaged on its way."""
    folder = namespace[1]
    made = {
        "old": make_ensemble(folder / "old"),
        "twin": make_ensemble(folder / "twin", made="once more"),
        "other": make_ensemble(folder / "other", labels=("sad", "glad"), seed=7),
        "corrupt": make_ensemble(folder / "corrupt", seed=8),
    }
    (folder / "corrupt" / "grid.safetensors").write_bytes(b"\0" * 1000)
    return made


@pytest.fixture
async def worker(scene: Scene, artifacts: dict[str, Artifact]) -> Worker:
    """The worker of a pool that serves `old`."""
    await scene.apply(resources.pool(POOL), model("old", artifacts))
    await scene.ready("StudentEnsemble", MODEL, within_s=90)
    return await scene.worker(POOL)


def model(path: str, artifacts: dict[str, Artifact], **rollout: object) -> Object:
    return resources.ensemble(MODEL, pool=POOL, path=path, digest=artifacts[path].digest, rollout=rollout)


@dataclass(slots=True)
class Trickle:
    """What a steady trickle of requests was answered: versions in their order, and what else came."""

    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def trickle(worker: Worker) -> AsyncIterator[Trickle]:
    """Ask again and again, until the end of the block."""
    seen, over = Trickle(), asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            try:
                response = await worker.infer(MODEL)
            except NotYet as problem:
                seen.failures.append(str(problem))
            else:
                seen.versions.append(response.version)
                seen.failures += [response.error] if response.status != 200 else []
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask())
    try:
        yield seen
    finally:
        over.set()
        await asking


def version(artifact: Artifact) -> str:
    return artifact.digest.removeprefix("sha256:")[:12]


async def decided(scene: Scene, reason: str, *, within_s: float = 25.0) -> Object:
    """The status, once the latest decision on the artifact has this reason."""

    async def probe() -> Object:
        status = await scene.status("StudentEnsemble", MODEL)
        if status.get("rolloutDecision", {}).get("reason") != reason:
            raise NotYet(f"wanted {reason}: {json.dumps(status, indent=1)}")
        return status

    return await eventually(probe, within_s=within_s)


async def test_a_corrupt_artifact_never_serves_not_even_after_its_worker_was_killed(
    scene: Scene, worker: Worker, artifacts: dict[str, Artifact]
):
    await scene.apply(model("corrupt", artifacts, progressDeadlineSeconds=12))

    async def told() -> None:
        condition = await scene.condition("StudentEnsemble", MODEL, "Loaded")
        assert (condition["status"], condition["reason"]) == ("False", "ArtifactCorrupt"), condition
        assert "upload the artifact again" in condition["message"]

    await eventually(told, within_s=15)
    before = await scene.pod(POOL)
    psutil.Process(before.pid).kill()

    async def back() -> str:
        if process_of(before.name).pid == before.pid:
            raise NotYet("the old process is still there")
        response = await worker.infer(MODEL)
        if response.status != 200:
            raise NotYet(f"it listens, and still loads: {response}")
        return response.version

    assert await eventually(back, within_s=30) == version(artifacts["old"])
    status = await decided(scene, "CandidateStuck")
    assert status["rollout"]["serving"]["digest"] == artifacts["old"].digest
    condition = await scene.condition("StudentEnsemble", MODEL, "Loaded")
    assert (condition["status"], condition["reason"]) == ("False", "RolledBack")
    assert "is not warm after 12 s" in condition["message"], "the time of before the kill counts"
    assert (await worker.infer(MODEL)).version == version(artifacts["old"])


async def test_a_good_artifact_is_promoted_without_a_failed_request(
    scene: Scene, worker: Worker, artifacts: dict[str, Artifact]
):
    old, new = version(artifacts["old"]), version(artifacts["other"])
    async with trickle(worker) as seen:
        await scene.apply(model("other", artifacts))
        await scene.ready("StudentEnsemble", MODEL, within_s=25)
    assert seen.failures == []
    assert seen.versions[0] == old and seen.versions[-1] == new
    assert seen.versions == sorted(seen.versions, key=[old, new].index), "none goes back once the new one answers"
    status = await decided(scene, "CandidateWarm")
    assert status["rolloutDecision"]["action"] == "Promote"


@pytest.mark.parametrize(
    ("path", "reason", "action"), [("twin", "CanaryAgrees", "Promote"), ("other", "CanaryDisagrees", "RollBack")]
)
async def test_a_canary_is_promoted_if_it_agrees_and_rolled_back_if_not(
    scene: Scene, worker: Worker, artifacts: dict[str, Artifact], path: str, reason: str, action: str
):
    old, new = version(artifacts["old"]), version(artifacts[path])
    # Two models of this size differ in time by chance alone.
    trial = {"weightPercent": 50, "minCompared": 40, "seconds": 2, "maxLatencyRatio": 100}
    async with trickle(worker) as seen:
        await scene.apply(model(path, artifacts, canary=trial))
        status = await decided(scene, reason)
    assert seen.failures == []
    assert set(seen.versions) == {old, new}, "some of the requests were the candidate's"
    assert status["rolloutDecision"]["action"] == action
    serving = artifacts[path if action == "Promote" else "old"].digest
    assert status["rollout"]["serving"]["digest"] == serving

    async def settled() -> None:
        report = await worker.status()
        assert [each.digest for each in report.ensembles if each.name.startswith(MODEL)] == [serving]

    await eventually(settled, within_s=15)
