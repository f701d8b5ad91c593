"""A worker without room for two artifacts: the old one goes before the new one comes, or comes back."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from phalanx_contract.plan import Artifact, Candidate, Ensemble, Plan, hash_plan
from phalanx_contract.worker import LoadReason
from phalanx_server.answers import version
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.loader import Loader
from phalanx_server.loading.room import Room, weights_bytes
from phalanx_server.models import Model
from phalanx_server.serving.alone import own_part
from tests.contract.strategies import ensembles
from tests.server.artifacts import TEXTS, Saved, make_plan, save_ensemble
from tests.server.conftest import Running, Shop, Start
from tests.server.waiting import until

POD, NAME = "gpus-a", "films@candidate"


@pytest.fixture
def other(tmp_path: Path) -> Saved:
    return save_ensemble(tmp_path / "other", seed=9)


def replacing(shop: Shop, candidate: Artifact | None, *alone: str) -> Plan:
    wanted = None if candidate is None else Candidate(artifact=candidate)
    return make_plan(Ensemble(name="films", artifact=shop.base.artifact, candidate=wanted, alone=alone))


def room_for_one(shop: Shop) -> dict[str, object]:
    return {"pod_name": POD, "models_bytes": weights_bytes(shop.base.path) * 3 // 2}


def states(running: Running) -> dict[str, tuple[str, str, str]]:
    return {each.name: (each.state, each.reason, each.digest) for each in running.worker.status().ensembles}


async def answered_by(running: Running) -> str:
    status, _, made_by = await running.post("/predict", {"inputs": list(TEXTS)})
    assert status == 200
    return made_by["X-Phalanx-Version"]


async def test_without_room_for_both_a_candidate_waits_and_what_serves_goes_on(
    shop: Shop, other: Saved, start: Start
) -> None:
    async with start(replacing(shop, other.artifact, "gpus-b"), **room_for_one(shop)) as running:
        assert states(running)[NAME][:2] == ("Failed", "OutOfMemory")
        assert states(running)["films"] == ("Serving", "", shop.base.digest)
        assert running.worker.problem() == ""
        assert await answered_by(running) == version(shop.base.digest)


async def test_a_worker_that_may_lets_go_of_the_old_one_first_and_is_not_ready_meanwhile(
    shop: Shop, other: Saved, start: Start
) -> None:
    async with start(replacing(shop, other.artifact), **room_for_one(shop)) as running:
        plan = replacing(shop, other.artifact, POD)
        running.worker.registry.apply(hash_plan(plan), plan)
        assert "making room" in running.worker.problem()
        assert await answered_by(running) == version(shop.base.digest), "until routers have noticed"
        await until(lambda: running.worker.problem() == "")
        assert await answered_by(running) == version(other.digest)
        assert states(running) == {"films": ("Serving", "", other.digest)}
        await running.swap(make_plan(Ensemble(name="films", artifact=other.artifact)))
        assert await answered_by(running) == version(other.digest)


async def test_what_it_was_asked_before_is_answered_before_it_goes(shop: Shop, other: Saved, start: Start) -> None:
    async with start(replacing(shop, other.artifact), **room_for_one(shop)) as running:
        asked = [asyncio.create_task(answered_by(running)) for _ in range(8)]
        await running.swap(replacing(shop, other.artifact, POD))
        assert set(await asyncio.gather(*asked)) <= {version(shop.base.digest), version(other.digest)}


async def test_one_that_cannot_be_loaded_alone_either_gives_the_old_one_back(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    broken = save_ensemble(tmp_path / "broken", seed=3)
    (broken.path / "grid.safetensors").write_bytes(b"\0" * 100)
    async with start(replacing(shop, broken.artifact), **room_for_one(shop)) as running:
        plan = replacing(shop, broken.artifact, POD)
        await running.swap(plan)
        await until(lambda: running.worker.problem() == "")
        assert states(running) == {
            "films": ("Serving", "", shop.base.digest),
            NAME: ("Failed", "ArtifactCorrupt", ""),
        }
        assert await answered_by(running) == version(shop.base.digest)
        await running.swap(plan)
        assert states(running)["films"] == ("Serving", "", shop.base.digest), "it is not tried again"
        await running.swap(replacing(shop, None))
        assert states(running) == {"films": ("Serving", "", shop.base.digest)}


async def test_one_that_holds_nothing_stays_unready_whatever_the_plan_becomes(
    shop: Shop, other: Saved, embedder: Saved, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model that it serves does not make it ready: it would refuse what is asked of this one."""
    second = Ensemble(name="vectors", artifact=embedder.artifact)
    room = weights_bytes(shop.base.path) * 3 // 2 + weights_bytes(embedder.path)
    may, load = threading.Event(), Loader.model

    def model(loader: Loader, name: str, artifact: Artifact) -> Model:
        assert may.wait(30)
        return load(loader, name, artifact)

    monkeypatch.setattr(Loader, "model", model)
    may.set()
    both = make_plan(*replacing(shop, other.artifact).ensembles, second)
    async with start(both, pod_name=POD, models_bytes=room) as running:
        registry = running.worker.registry
        assert running.worker.problem() == ""
        may.clear()
        goes = make_plan(*replacing(shop, other.artifact, POD).ensembles, second)
        registry.apply(hash_plan(goes), goes)
        await until(lambda: registry.hosted["films"].shelf is None)
        stays = make_plan(*replacing(shop, None).ensembles, second)
        registry.apply(hash_plan(stays), stays)
        assert "making room" in running.worker.problem()
        may.set()
        await until(lambda: running.worker.problem() == "")
        assert states(running)["films"] == ("Serving", "", shop.base.digest)


async def test_the_way_back_is_the_same(shop: Shop, other: Saved, start: Start) -> None:
    async with start(replacing(shop, other.artifact, POD), **room_for_one(shop)) as running:
        assert await answered_by(running) == version(other.digest)
        await running.swap(replacing(shop, None))
        assert states(running)["films"] == ("Failed", "OutOfMemory", other.digest), "it goes on with what it has"
        assert await answered_by(running) == version(other.digest)
        await running.swap(replacing(shop, None, POD))
        await until(lambda: running.worker.problem() == "")
        assert await answered_by(running) == version(shop.base.digest)


@given(ensembles, st.sampled_from(["", "pod"]), st.booleans(), st.booleans())
def test_a_workers_own_part_is_the_plans_but_for_what_it_has_no_room_for(
    ensemble: Ensemble, pod: str, named: bool, failed: bool
) -> None:
    plan = Ensemble(
        name=ensemble.name,
        artifact=ensemble.artifact,
        cut=ensemble.cut,
        adapters=ensemble.adapters,
        candidate=ensemble.candidate,
        alone=("pod",) if named else (),
    )
    refused = plan.candidate.artifact.digest if plan.candidate and failed else ""
    own = own_part(plan, pod=pod, refused=refused)
    assert (own.name, own.adapters) == (plan.name, plan.adapters)
    if not (pod and named):
        assert (own.artifact, own.candidate, own.alone) == (plan.artifact, plan.candidate, ())
    else:
        assert own.candidate is None
        new = plan.candidate.artifact if plan.candidate and not failed else plan.artifact
        assert own.artifact == new


def test_room_is_taken_from_before_a_load_until_nobody_holds_the_grid() -> None:
    room, grid = Room(100), nn.Identity()
    with room.taken(60) as hold:
        with pytest.raises(LoadFailure) as refused, room.taken(60):
            pass
        assert refused.value.reason is LoadReason.OUT_OF_MEMORY
        hold(grid)
    with pytest.raises(LoadFailure, match="60 bytes do not fit beside 60"), room.taken(60):
        pass
    del grid
    with room.taken(60):
        pass
    with Room(0).taken(10**15):
        pass
