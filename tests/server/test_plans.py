"""From plan to plan: what is loaded, what goes on serving, what is refused."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.plan import Adapter, Artifact, Cut, Ensemble, Plan, hash_plan
from phalanx_contract.wire import pack
from phalanx_grid import LoraAdapter, load_artifact, save_adapter
from phalanx_server.plan.difference import difference
from phalanx_server.settings import Settings
from tests.server.artifacts import LABELS, TEXTS, ensemble, make_plan, reference, save_ensemble, save_tenant
from tests.server.conftest import Running, Shop, Start
from tests.server.waiting import until

artifacts = st.sampled_from("ab").map(lambda c: Artifact(uri=f"file:///{c}", digest=f"sha256:{c * 64}"))
adapter_sets = st.dictionaries(st.sampled_from("xyz"), artifacts).map(
    lambda chosen: tuple(Adapter(name=name, artifact=artifact) for name, artifact in chosen.items())
)
cuts = st.integers(1, 2).map(lambda floor: Cut(students_floor=floor))
plans = st.dictionaries(st.sampled_from("pqr"), st.tuples(artifacts, cuts, adapter_sets)).map(
    lambda chosen: make_plan(
        *(Ensemble(name=name, artifact=a, cut=cut, adapters=ads) for name, (a, cut, ads) in chosen.items())
    )
)


def contents(plan: Plan | None) -> dict[str, Any]:
    """What serves under a plan, in a form that changes can be played on."""
    ensembles = plan.ensembles if plan else ()
    return {e.name: (e.artifact, {a.name: a.artifact for a in e.adapters}, e.cut) for e in ensembles}


@given(st.none() | plans, plans)
def test_playing_the_changes_on_the_old_plan_gives_the_new_one(old: Plan | None, new: Plan) -> None:
    changes = difference(old, new)
    after = {e.name: e for e in new.ensembles}
    served = contents(old)
    for name in changes.unload:
        del served[name]
    for loaded in changes.load:
        served[loaded.name] = contents(new)[loaded.name]
    for name, adapter in changes.unload_adapters:
        del served[name][1][adapter]
    for name, adapter in changes.load_adapters:
        served[name][1][adapter.name] = adapter.artifact
    for name in changes.recut:
        served[name] = (*served[name][:2], after[name].cut)
    assert served == contents(new)


@given(plans)
def test_the_same_plan_again_changes_nothing(plan: Plan) -> None:
    changes = difference(plan, plan)
    assert not any((changes.load, changes.unload, changes.recut, changes.load_adapters, changes.unload_adapters))


def write(folder: Path, plan: Plan, *, leave_out: int = 0) -> None:
    """Mount a plan as a kubelet does: a new version of the folder, then one swap of a link."""
    _, maps = pack(plan, max_part_bytes=64)
    version = folder / f"..{hash_plan(plan)[7:19]}.{leave_out}"
    version.mkdir(parents=True)
    names = []
    for files in maps[: len(maps) - leave_out]:
        for name, data in files.items():
            (version / name).write_bytes(data)
            names.append(name)
    link = folder / "..new"
    link.symlink_to(version.name)
    link.rename(folder / "..data")
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)


async def predicted(running: Running, texts: tuple[str, ...] = TEXTS) -> tuple[int, Any, dict[str, str]]:
    return await running.post("/predict", {"inputs": list(texts)})


async def test_without_a_plan_the_worker_lives_but_is_not_ready(start: Start) -> None:
    async with start() as running:
        live, _ = await running.get("/v2/health/live")
        ready, body = await running.get("/v2/health/ready")
        status, _, _ = await predicted(running)
    assert (live, ready, status) == (200, 503, 404)
    assert body["reason"] == "there is no plan yet"


async def test_a_plan_that_is_mounted_is_served_and_a_change_of_cut_needs_no_reload(
    shop: Shop, start: Start, settings: Settings
) -> None:
    folder = Path(settings.plan_dir)
    first, second = shop.plan(), shop.plan(cut=Cut(students_ceiling=1))
    async with start() as running:
        write(folder, first)
        await until(lambda: running.worker.problem() == "")
        _, _, before = await predicted(running)
        model = running.worker.registry.hosted["films"].shelf.model
        write(folder, second)
        await until(lambda: running.worker.registry.plan_hash == hash_plan(second))
        _, _, after = await predicted(running)
        assert running.worker.registry.hosted["films"].shelf.model is model
        exposition = await running.metrics()
    assert (before["X-Phalanx-Plan"], before["X-Phalanx-Students"]) == (hash_plan(first), "3")
    assert (after["X-Phalanx-Plan"], after["X-Phalanx-Students"]) == (hash_plan(second), "1")
    assert f'phalanx_plan_info{{hash="{hash_plan(second)}"}} 1.0' in exposition
    assert hash_plan(first) not in exposition
    assert 'phalanx_students_ceiling{ensemble="films"} 1.0' in exposition


async def test_an_ensemble_that_nobody_asked_yet_shows_no_load_and_not_no_series(
    shop: Shop, start: Start, settings: Settings
) -> None:
    async with start() as running:
        write(Path(settings.plan_dir), shop.plan())
        await until(lambda: running.worker.problem() == "")
        exposition = await running.metrics()
    for counter in ("tokens", "offered_tokens", "shed"):
        assert f'phalanx_{counter}_total{{ensemble="films"}} 0.0' in exposition


async def test_a_torn_set_of_files_leaves_the_plan_in_force(shop: Shop, start: Start, settings: Settings) -> None:
    folder = Path(settings.plan_dir)
    first, second = shop.plan(), shop.plan(cut=Cut(students_ceiling=2))
    async with start() as running:
        write(folder, first)
        await until(lambda: running.worker.problem() == "")
        write(folder, second, leave_out=1)
        await until(lambda: "missing" in running.worker.status().plan_error)
        _, _, headers = await predicted(running)
        assert headers["X-Phalanx-Plan"] == hash_plan(first)
        assert "phalanx_plan_errors_total 1.0" in await running.metrics()
        write(folder, second)
        await until(lambda: running.worker.registry.plan_hash == hash_plan(second))
        assert running.worker.status().plan_error == ""


@pytest.mark.parametrize(
    ("break_it", "reason", "field"),
    [
        (lambda a: Artifact(uri=a.uri, digest="sha256:" + "0" * 64), "DigestMismatch", "spec.artifact.digest"),
        (lambda a: Artifact(uri=a.uri + "-gone", digest=a.digest), "ArtifactNotFound", "spec.artifact.uri"),
        (lambda a: Artifact(uri="pvc://nowhere/x", digest=a.digest), "ArtifactNotFound", "spec.artifact.uri"),
        (lambda a: Artifact(uri="ftp://host/x", digest=a.digest), "ArtifactUnsupported", "spec.artifact.uri"),
    ],
    ids=["wrong digest", "missing artifact", "unmounted claim", "unknown store"],
)
async def test_a_broken_ensemble_names_its_field_and_disturbs_no_other(
    shop: Shop, start: Start, tmp_path: Path, break_it: Any, reason: str, field: str
) -> None:
    broken = Ensemble(name="broken", artifact=break_it(save_ensemble(tmp_path / "songs", seed=8).artifact))
    async with start(make_plan(broken, ensemble("films", shop.base))) as running:
        _, status = await running.get("/phalanx/status")
        ready, _ = await running.get("/v2/health/ready")
        model_ready, _ = await running.get("/v2/models/broken/ready")
        answered, _, _ = await running.post("/predict?model=films", {"inputs": TEXTS[0]})
        refused, body, _ = await running.post("/predict?model=broken", {"inputs": TEXTS[0]})
    report = status["ensembles"][0]
    assert (report["state"], report["reason"], report["field"]) == ("Failed", reason, field)
    assert report["message"]
    assert (ready, model_ready, answered, refused) == (200, 503, 200, 503)
    assert reason in body["error"]


async def test_more_students_than_the_artifact_has_is_reported_and_a_lower_floor_repairs_it(
    shop: Shop, start: Start
) -> None:
    async with start(make_plan(ensemble("films", shop.base, cut=Cut(students_floor=9)))) as running:
        report = running.worker.status().ensembles[0]
        assert (report.state, report.reason, report.field) == ("Failed", "StudentsOutOfRange", "spec.students.min")
        await running.swap(make_plan(ensemble("films", shop.base)))
        assert running.worker.status().ensembles[0].state == "Serving"
        await running.swap(make_plan(ensemble("films", shop.base, cut=Cut(students_floor=9))))
        assert running.worker.status().ensembles[0].reason == "StudentsOutOfRange"
        status, _, headers = await predicted(running)
    assert (status, headers["X-Phalanx-Students"]) == (200, "3")


async def test_a_new_artifact_takes_over_only_when_it_is_loaded(shop: Shop, start: Start, tmp_path: Path) -> None:
    other = save_ensemble(tmp_path / "other", seed=9)
    bad = Ensemble(name="films", artifact=Artifact(uri=other.artifact.uri, digest="sha256:" + "1" * 64))
    async with start(make_plan(ensemble("films", shop.base))) as running:
        await running.swap(make_plan(bad))
        report = running.worker.status().ensembles[0]
        assert (report.state, report.digest, report.wanted_digest) == ("Failed", shop.base.digest, bad.artifact.digest)
        _, before, _ = await predicted(running)
        await running.swap(make_plan(ensemble("films", other)))
        _, after, _ = await predicted(running)
    for body, saved in ((before, shop.base), (after, other)):
        for row, expected in zip(body, reference(saved, TEXTS), strict=True):
            wanted = dict(zip(LABELS, expected, strict=True))
            assert {entry["label"]: entry["score"] for entry in row} == pytest.approx(wanted, abs=1e-4)


async def test_an_artifact_that_appears_later_is_loaded_without_a_new_plan(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    late = Ensemble(name="films", artifact=Artifact(uri=(tmp_path / "late").as_uri(), digest=shop.base.digest))
    async with start(make_plan(late)) as running:
        assert running.worker.status().ensembles[0].reason == "ArtifactNotFound"
        shutil.copytree(shop.base.path, tmp_path / "late")
        await until(lambda: running.worker.status().ensembles[0].state == "Serving")
        assert (await predicted(running))[0] == 200


async def test_an_ensemble_that_leaves_the_plan_is_gone_with_its_gauges(shop: Shop, start: Start) -> None:
    async with start(make_plan(ensemble("films", shop.base), ensemble("songs", shop.base))) as running:
        await running.swap(make_plan(ensemble("songs", shop.base)))
        status, _, _ = await running.post("/predict?model=films", {"inputs": TEXTS[0]})
        exposition = await running.metrics()
        ready, _ = await running.get("/v2/health/ready")
    assert (status, ready) == (404, 200)
    assert 'phalanx_students_floor{ensemble="films"}' not in exposition
    assert 'phalanx_students_floor{ensemble="songs"}' in exposition


async def test_an_empty_plan_is_ready(start: Start) -> None:
    async with start(make_plan()) as running:
        assert (await running.get("/v2/health/ready"))[0] == 200


async def test_an_ensemble_that_is_added_does_not_make_the_worker_unready(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    async with start(make_plan(ensemble("films", shop.base))) as running:
        assert running.worker.problem() == ""
        plan = make_plan(ensemble("films", shop.base), ensemble("songs", save_ensemble(tmp_path / "songs", seed=4)))
        running.worker.registry.apply(hash_plan(plan), plan)
        assert running.worker.status().ensembles[1].state == "Loading"
        assert running.worker.problem() == ""


async def test_tenants_come_and_go_by_plan(shop: Shop, start: Start) -> None:
    async def status_of(tenant: str) -> int:
        status, _, _ = await running.post("/predict", {"inputs": TEXTS[0]}, **{"X-Phalanx-Tenant": tenant})
        return status

    async with start(make_plan(ensemble("films", shop.base))) as running:
        assert await status_of("acme") == 404
        await running.swap(make_plan(ensemble("films", shop.base, adapters=shop.adapters("acme", "brick"))))
        assert (await status_of("acme"), await status_of("brick")) == (200, 200)
        await running.swap(make_plan(ensemble("films", shop.base, adapters=shop.adapters("brick"))))
        assert (await status_of("acme"), await status_of("brick")) == (404, 200)
        table = running.worker.registry.hosted["films"].shelf.model.adapters
        await until(lambda: table.slot_of(shop.tenants["acme"].digest) is None)
        assert "phalanx_adapter_loads_total" in await running.metrics()


async def test_a_bad_adapter_fails_alone_and_says_why(shop: Shop, start: Start, tmp_path: Path) -> None:
    stranger = save_tenant(tmp_path / "t", save_ensemble(tmp_path / "other", seed=9), labels=("x", "y"), seed=1)
    adapters = [
        *shop.adapters("acme"),
        Adapter(name="stranger", artifact=stranger.artifact),
        Adapter(name="missing", artifact=Artifact(uri="file:///nowhere", digest="sha256:" + "2" * 64)),
    ]
    async with start(make_plan(ensemble("films", shop.base, adapters=adapters))) as running:
        reports = {report.name: report for report in running.worker.status().adapters}
        failed, body, _ = await running.post("/predict", {"inputs": "good"}, **{"X-Phalanx-Tenant": "stranger"})
        fine, _, _ = await running.post("/predict", {"inputs": "good"}, **{"X-Phalanx-Tenant": "acme"})
        base, _, _ = await predicted(running)
        assert running.worker.problem() == ""
    assert {name: report.reason for name, report in reports.items()} == {
        "stranger": "BaseMismatch", "missing": "ArtifactNotFound",
    }  # fmt: skip
    assert (failed, fine, base) == (503, 200, 200)
    assert "BaseMismatch" in body["error"]


async def test_an_adapter_whose_numbers_are_not_finite_is_refused_and_fails_no_request_of_others(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    module = LoraAdapter(load_artifact(shop.base.path).grid.geometry, ("no", "yes"), rank=4, alpha=8.0, seed=1)
    with torch.no_grad():
        module.head.bias.fill_(float("nan"))
    digest = save_adapter(tmp_path / "nan", module.weights(), base=shop.base.digest, provenance={"made": "badly"})
    adapter = Adapter(name="nan", artifact=Artifact(uri=(tmp_path / "nan").as_uri(), digest=digest))
    async with start(make_plan(ensemble("films", shop.base, adapters=[adapter]))) as running:
        (report,) = running.worker.status().adapters
        status, _, _ = await running.post("/predict", {"inputs": "good"}, **{"X-Phalanx-Tenant": "nan"})
        assert (report.state, report.reason, status) == ("Failed", "ArtifactUnsupported", 503)
        assert "the tensor head.bias has numbers that are not finite" in report.message


async def test_an_adapter_of_a_higher_rank_than_the_worker_has_room_for_is_refused_by_that_name(
    shop: Shop, start: Start
) -> None:
    plan = make_plan(ensemble("films", shop.base, adapters=shop.adapters("acme")))
    async with start(plan, adapter_rank=2) as running:
        (report,) = running.worker.status().adapters
    assert (report.reason, report.message) == ("RankTooHigh", "the adapter has rank 4, this worker has room for 2")
    async with start(plan, adapter_rank=4) as running:
        assert running.worker.status().adapters == ()


async def test_a_tenants_new_adapter_takes_over_and_a_broken_one_does_not(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    newer = save_tenant(tmp_path / "newer", shop.base, labels=("no", "yes"), seed=77)

    def plan(artifact: Artifact) -> Plan:
        return make_plan(ensemble("films", shop.base, adapters=[Adapter(name="acme", artifact=artifact)]))

    async def score() -> float:
        _, body, _ = await running.post("/predict", {"inputs": TEXTS[0]}, **{"X-Phalanx-Tenant": "acme"})
        return {entry["label"]: entry["score"] for entry in body}["yes"]

    old_score = reference(shop.base, TEXTS[:1], tenant=shop.tenants["acme"])[0][1]
    new_score = reference(shop.base, TEXTS[:1], tenant=newer)[0][1]
    async with start(plan(shop.tenants["acme"].artifact)) as running:
        assert await score() == pytest.approx(old_score, abs=1e-4)
        await running.swap(plan(Artifact(uri="file:///nowhere", digest="sha256:" + "3" * 64)))
        assert running.worker.status().adapters[0].reason == "ArtifactNotFound"
        assert await score() == pytest.approx(old_score, abs=1e-4)
        await running.swap(plan(newer.artifact))
        assert await score() == pytest.approx(new_score, abs=1e-4)


async def test_requests_survive_any_number_of_plan_changes(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:

        async def client() -> None:
            while not stop.is_set():
                status, body, headers = await predicted(running, TEXTS[:1])
                assert status == 200
                expected = reference(shop.base, TEXTS[:1], students=int(headers["X-Phalanx-Students"]))[0]
                wanted = dict(zip(LABELS, expected, strict=True))
                assert {entry["label"]: entry["score"] for entry in body[0]} == pytest.approx(wanted, abs=1e-4)

        stop = asyncio.Event()
        clients = [asyncio.create_task(client()) for _ in range(4)]
        for turn in range(12):
            students = 1 + turn % 3
            await running.swap(shop.plan(cut=Cut(students_floor=students, students_ceiling=students)))
            await asyncio.sleep(0.02)
        stop.set()
        await asyncio.gather(*clients)
