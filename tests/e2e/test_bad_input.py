"""Each fault of a resource becomes a condition that names the field and the way out, and disturbs nobody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.e2e import resources
from tests.e2e.artifacts import Artifact, make_ensemble
from tests.e2e.kube import ApiError, Object
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually

POOL, GOOD = "gpus", "good"
LONG_NAME = "a" * 63


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A bad ensemble and what its owner is told: the condition that is False, its reason, words of its message."""

    name: str
    condition: str
    reason: str
    says: tuple[str, ...]
    spec: Object
    path: str = GOOD
    digest: str = ""


FAULTS = (
    Fault(
        name="wrong-digest", digest="sha256:" + "0" * 64, spec={},
        condition="Loaded", reason="DigestMismatch", says=("spec.artifact.digest",),
    ),
    Fault(
        name="missing-artifact", path="nowhere", digest="sha256:" + "2" * 64, spec={},
        condition="Loaded", reason="ArtifactNotFound", says=("spec.artifact.uri", "nowhere"),
    ),
    Fault(
        name="min-above-max", spec={"students": {"min": 3, "max": 2}},
        condition="Accepted", reason="InvalidSpec", says=("spec.students.min", "lower min or raise max"),
    ),
    Fault(
        name="unknown-pool", spec={"pool": "nobody"},
        condition="Accepted", reason="PoolNotFound", says=("spec.pool", "nobody"),
    ),
    Fault(
        name=LONG_NAME, spec={},
        condition="Accepted", reason="InvalidName", says=("metadata.name", "shorter name"),
    ),
    Fault(
        name="thousand-classes", path="thousand", spec={},
        condition="Loaded", reason="ArtifactUnsupported", says=("spec.artifact", "1000", "512"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def artifacts(namespace) -> dict[str, Artifact]:
    folder = namespace[1]
    return {
        GOOD: make_ensemble(folder / GOOD),
        "thousand": make_ensemble(folder / "thousand", labels=[f"class {number}" for number in range(1000)]),
    }


@pytest.fixture
async def pool(scene: Scene, artifacts: dict[str, Artifact]) -> None:
    """A pool with one good ensemble that serves."""
    await scene.apply(
        resources.pool(POOL), resources.ensemble(GOOD, pool=POOL, path=GOOD, digest=artifacts[GOOD].digest)
    )
    await scene.ready("StudentEnsemble", GOOD, within_s=90)


def bad_ensemble(fault: Fault, artifacts: dict[str, Artifact]) -> Object:
    digest = fault.digest or artifacts.get(fault.path, artifacts[GOOD]).digest
    return resources.ensemble(fault.name, **{"pool": POOL, "path": fault.path, "digest": digest, **fault.spec})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name if fault.name != LONG_NAME else "long-name")
async def test_a_fault_is_named_with_its_field_and_what_to_do(scene: Scene, pool: None, artifacts, fault: Fault):
    try:
        await scene.apply(bad_ensemble(fault, artifacts))
    except ApiError as refusal:
        # Releases with CEL (from 1.25 on) refuse at once what older ones leave to the operator.
        assert refusal.code == 422
        assert "must" in str(refusal)
        return

    async def reported() -> Object:
        condition = await scene.condition("StudentEnsemble", fault.name, fault.condition)
        if condition["status"] != "False" or condition["reason"] != fault.reason:
            raise NotYet(f"{condition}; {(await scene.status('StudentEnsemble', fault.name))['conditions']}")
        return condition

    condition = await eventually(reported, within_s=45)
    for words in fault.says:
        assert words in condition["message"]
    assert "\n" not in condition["message"]
    ready = await scene.condition("StudentEnsemble", fault.name, "Ready")
    assert ready["status"] == "False"


async def test_a_good_ensemble_serves_on_beside_all_bad_ones(scene: Scene, pool: None, artifacts):
    before = await scene.pod(POOL)
    for fault in FAULTS:
        try:
            await scene.apply(bad_ensemble(fault, artifacts))
        except ApiError as refusal:
            assert refusal.code == 422
    for fault in FAULTS:
        if await scene.find("StudentEnsemble", fault.name) is not None:
            await eventually(lambda name=fault.name: scene.condition("StudentEnsemble", name, "Ready"), within_s=45)
    expected = artifacts[GOOD].answers()
    response = await before.worker.infer(GOOD)
    assert response.status == 200
    assert response.answers.labels == expected.labels
    await scene.ready("StudentEnsemble", GOOD)
    assert await scene.pod(POOL) == before


async def test_a_corrected_ensemble_serves(scene: Scene, pool: None, artifacts):
    digest = artifacts[GOOD].digest
    await scene.apply(resources.ensemble("corrected", pool=POOL, path=GOOD, digest="sha256:" + "1" * 64))

    async def refused() -> None:
        condition = await scene.condition("StudentEnsemble", "corrected", "Loaded")
        if condition["status"] != "False":
            raise NotYet(str(condition))

    await eventually(refused, within_s=45)
    await scene.apply(resources.ensemble("corrected", pool=POOL, path=GOOD, digest=digest))
    await scene.ready("StudentEnsemble", "corrected")
    assert (await (await scene.worker(POOL)).infer("corrected")).answers.labels == artifacts[GOOD].answers().labels
