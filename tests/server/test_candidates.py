"""A candidate beside the artifact that serves: who answers, what is compared, and how it takes over or goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.plan import Adapter, Artifact, Candidate, Cut, Ensemble, Plan, hash_plan
from phalanx_contract.worker import Comparison, EnsembleReport
from phalanx_grid import load_artifact, save_artifact
from phalanx_server.answers import Answer, Query, Reply, version
from phalanx_server.engine.turn import Turn
from phalanx_server.loading.loader import Loader
from phalanx_server.serving.agreement import AGREEING_COSINE, agreeing, cosine
from phalanx_server.serving.trial import Trial
from tests.server.artifacts import TEXTS, Saved, make_plan, save_ensemble, save_tenant
from tests.server.conftest import Gate, Running, Shop, Start
from tests.server.waiting import until

NAME = "films@candidate"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Another artifact, with other answers."""
    return save_ensemble(tmp_path_factory.mktemp("other") / "grid", seed=9)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Another artifact with the very same answers as the shop's."""
    return save_ensemble(tmp_path_factory.mktemp("twin") / "grid", agreement=(0.9, 0.95, 1.0))


def rolling(shop: Shop, candidate: Artifact | None, *, share: float = 0.0, objective_s: float = 10.0) -> Plan:
    """The shop's ensemble with its tenant acme, and perhaps a candidate."""
    wanted = None if candidate is None else Candidate(artifact=candidate, share=share)
    adapters = tuple(shop.adapters("acme"))
    return make_plan(
        Ensemble(name="films", artifact=shop.base.artifact, adapters=adapters, candidate=wanted),
        objective_s=objective_s,
    )


def report_of(running: Running, name: str) -> EnsembleReport | None:
    return next((each for each in running.worker.status().ensembles if each.name == name), None)


async def asked(running: Running, **headers: str) -> str:
    """The version that answered."""
    status, _, made_by = await running.post("/predict", {"inputs": list(TEXTS)}, **headers)
    assert status == 200
    return made_by["X-Phalanx-Version"]


async def compared(running: Running, texts: int) -> Comparison:
    """What was compared, once so many texts were."""

    def enough() -> bool:
        report = report_of(running, NAME)
        return report is not None and report.compared is not None and report.compared.texts >= texts

    await until(enough)
    report = report_of(running, NAME)
    assert report is not None and report.compared is not None
    return report.compared


async def test_a_candidate_is_warmed_beside_and_answers_nobody(shop: Shop, other: Saved, start: Start) -> None:
    async with start(rolling(shop, other.artifact)) as running:
        serving, candidate = report_of(running, "films"), report_of(running, NAME)
        assert serving is not None and candidate is not None
        assert (serving.state, serving.digest) == ("Serving", shop.base.digest)
        assert (candidate.state, candidate.digest, candidate.students) == ("Serving", other.digest, 3)
        assert {await asked(running) for _ in range(10)} == {version(shop.base.digest)}
        index_status, index, _ = await running.post("/v2/repository/index", {})
        exposition = await running.metrics()
    assert index_status == 200
    assert [entry["name"] for entry in index] == ["films"], "it is no model of its own"
    assert f'phalanx_capacity_tokens_per_second{{ensemble="{NAME}",students="3"}}' in exposition


async def test_its_share_of_the_base_models_requests_is_its_own_and_no_tenants(
    shop: Shop, other: Saved, start: Start
) -> None:
    async with start(rolling(shop, other.artifact, share=0.25)) as running:
        base = Counter([await asked(running) for _ in range(40)])
        tenants = {await asked(running, **{"X-Phalanx-Tenant": "acme"}) for _ in range(8)}
    assert base == {version(shop.base.digest): 30, version(other.digest): 10}
    assert tenants == {version(shop.base.digest)}


@pytest.mark.parametrize("which", ["other", "twin"])
async def test_both_answers_to_a_request_are_compared(
    shop: Shop, start: Start, request: pytest.FixtureRequest, which: str
) -> None:
    candidate: Saved = request.getfixturevalue(which)
    async with start(rolling(shop, candidate.artifact, share=1.0)) as running:
        _, theirs, _ = await running.post("/predict", {"inputs": list(TEXTS)})
        found = await compared(running, len(TEXTS))
        _, ours, _ = await running.post(
            f"/v2/models/films/versions/{version(shop.base.digest)}/infer",
            {"inputs": [{"name": "text", "shape": [len(TEXTS)], "datatype": "BYTES", "data": list(TEXTS)}]},
        )
        exposition = await running.metrics()
    labels = next(each["data"] for each in ours["outputs"] if each["name"] == "label")
    alike = sum(row[0]["label"] == label for row, label in zip(theirs, labels, strict=True))
    assert (found.texts, found.agreeing) == (len(TEXTS), alike)
    assert (alike == len(TEXTS)) == (which == "twin")
    assert found.candidate_s > 0 and found.serving_s > 0
    assert f'phalanx_candidate_texts_total{{ensemble="films",result="agrees"}} {float(alike)}' in exposition


GOOD, BAD = (0.9, 0.1), (0.2, 0.8)
ALONG, NEARLY, ACROSS = (1.0, 0.0), (1.0, 0.2), (0.0, 1.0)


@pytest.mark.parametrize(
    ("scores", "embedding", "theirs", "alike"),
    [
        (True, False, (GOOD, ()), 1),
        (True, False, (BAD, ()), 0),
        (False, True, (BAD, NEARLY), 1),
        (False, True, (GOOD, ACROSS), 0),
        (True, True, (GOOD, NEARLY), 1),
        (True, True, (GOOD, ACROSS), 0),
        (True, True, (BAD, ALONG), 0),
    ],
)
def test_what_a_request_asked_for_is_what_has_to_agree(
    scores: bool, embedding: bool, theirs: tuple[tuple[float, ...], tuple[float, ...]], alike: int
) -> None:
    """A classifier's answers carry probabilities whatever was asked for."""

    def reply(probabilities: tuple[float, ...], vector: tuple[float, ...]) -> Reply:
        answer = Answer(probabilities=probabilities, embedding=vector, students=1)
        return Reply(
            model="films",
            version="",
            labels=("good", "bad"),
            fidelity="",
            answers=(answer,),
            tokens=1,
            tokenization_s=0,
        )

    query = Query(texts=("x",), scores=scores, embedding=embedding)
    assert agreeing(query, reply((0.8, 0.2), ALONG), reply(*theirs)) == alike


async def test_a_client_may_name_either_version_and_no_third(shop: Shop, other: Saved, start: Start) -> None:
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXTS[0]]}]}
    async with start(rolling(shop, other.artifact, share=1.0)) as running:
        _, model = await running.get("/v2/models/films")
        for saved in (shop.base, other):
            path = f"/v2/models/films/versions/{version(saved.digest)}/infer"
            _, answer, _ = await running.post(path, body)
            assert (answer["model_name"], answer["model_version"]) == ("films", version(saved.digest))
        refused, fault, _ = await running.post("/v2/models/films/versions/nothing/infer", body)
    assert model["versions"] == [version(shop.base.digest), version(other.digest)]
    assert refused == 404
    assert version(other.digest) in fault["error"]


async def test_tenants_that_would_have_no_answer_are_reported_until_their_adapters_fit(
    shop: Shop, other: Saved, start: Start, tmp_path: Path
) -> None:
    async with start(rolling(shop, other.artifact)) as running:
        await until(lambda: (report := report_of(running, NAME)) is not None and report.state == "Serving")
        report = report_of(running, NAME)
        assert report is not None
        assert (report.unfit, report.unfit_tenant) == (1, "acme")
        fits = save_tenant(tmp_path / "fits", other, labels=("bad", "good"), seed=3)
        ensemble = rolling(shop, other.artifact).ensembles[0]
        mended = make_plan(msgspec.structs.replace(ensemble, adapters=(Adapter(name="acme", artifact=fits.artifact),)))
        running.worker.registry.apply(hash_plan(mended), mended)
        await until(lambda: (report := report_of(running, NAME)) is not None and not report.unfit)
        status, _, made_by = await running.post("/predict", {"inputs": list(TEXTS)}, **{"X-Phalanx-Tenant": "acme"})
        assert status == 200, "with the adapter that it had, until the candidate takes over"
        assert made_by["X-Phalanx-Version"] == version(shop.base.digest)
        promoted = make_plan(msgspec.structs.replace(mended.ensembles[0], artifact=other.artifact, candidate=None))
        running.worker.registry.apply(hash_plan(promoted), promoted)
        status, _, made_by = await running.post("/predict", {"inputs": list(TEXTS)}, **{"X-Phalanx-Tenant": "acme"})
        assert (status, made_by["X-Phalanx-Version"]) == (200, version(other.digest))


async def test_a_promoted_candidate_takes_over_without_loading_again_and_without_a_failed_request(
    shop: Shop, other: Saved, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    load = Loader.model

    def counted(loader: Loader, name: str, artifact: Artifact) -> Any:
        loads.append(artifact.digest)
        return load(loader, name, artifact)

    monkeypatch.setattr(Loader, "model", counted)
    promoted = make_plan(Ensemble(name="films", artifact=other.artifact, adapters=tuple(shop.adapters("acme"))))
    async with start(rolling(shop, other.artifact, share=0.5)) as running:
        over, answers = asyncio.Event(), Counter[str]()

        async def client() -> None:
            while not over.is_set():
                answers[await asked(running)] += 1

        clients = [asyncio.create_task(client()) for _ in range(4)]
        await until(lambda: len(answers) == 2)
        running.worker.registry.apply(hash_plan(promoted), promoted)
        report = report_of(running, "films")
        assert report is not None
        assert (report.state, report.digest) == ("Serving", other.digest), "at once"
        assert report_of(running, NAME) is None
        over.set()
        await asyncio.gather(*clients)
        assert await asked(running) == version(other.digest)
        await until(lambda: running.worker.answering.in_engine == 0)
        exposition = await running.metrics()
    assert loads == [shop.base.digest, other.digest]
    assert f'phalanx_students_floor{{ensemble="{NAME}"}}' not in exposition


async def test_a_candidate_that_the_plan_drops_is_gone_and_what_it_was_asked_is_answered(
    shop: Shop, other: Saved, start: Start, gate: Gate
) -> None:
    async with start(rolling(shop, other.artifact, share=1.0)) as running:
        with gate.closed():
            waiting = asyncio.create_task(asked(running))
            await until(lambda: len(gate.turns) == 1)
            await running.swap(rolling(shop, None))
        assert await waiting == version(other.digest)
        assert report_of(running, NAME) is None
        assert await asked(running) == version(shop.base.digest)


async def test_a_worker_that_restarts_with_a_broken_candidate_serves_the_artifact_that_serves(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    broken = save_ensemble(tmp_path / "broken", seed=3)
    (broken.path / "grid.safetensors").write_bytes(b"\0" * 100)
    for _ in range(2):
        async with start(rolling(shop, broken.artifact, share=1.0)) as running:
            candidate = report_of(running, NAME)
            assert candidate is not None
            assert (candidate.state, candidate.reason) == ("Failed", "ArtifactCorrupt")
            assert "grid.safetensors" in candidate.message
            assert running.worker.problem() == ""
            assert await asked(running) == version(shop.base.digest)


async def test_a_candidate_that_fails_on_a_batch_costs_no_request_and_is_counted(
    shop: Shop, other: Saved, start: Start, gate: Gate
) -> None:
    def fail(turn: Turn) -> None:
        if turn.lane.model.name == NAME:
            raise RuntimeError("a kernel that this geometry breaks")

    gate.fail = fail
    async with start(rolling(shop, other.artifact, share=1.0)) as running:
        assert await asked(running) == version(shop.base.digest)
        found = await compared(running, len(TEXTS))
        assert (found.texts, found.agreeing) == (len(TEXTS), 0)
        assert running.worker.problem() == "", "the device is not to blame"


async def test_a_busy_worker_asks_the_candidate_nothing(shop: Shop, other: Saved, start: Start, gate: Gate) -> None:
    async with start(rolling(shop, other.artifact, share=1.0, objective_s=0.001)) as running:
        with gate.closed():
            first = asyncio.create_task(asked(running))
            await until(lambda: len(gate.turns) == 1)
            second = asyncio.create_task(asked(running))
            await until(lambda: running.worker.answering.in_engine == 2 * len(TEXTS))
        assert (await first, await second) == (version(other.digest), version(shop.base.digest))
        report = report_of(running, NAME)
        assert report is not None and report.compared == Comparison(), "no time for a second answer within 1 ms"


async def test_a_candidate_of_another_kind_answers_nobody_and_agrees_on_nothing(
    shop: Shop, embedder: Saved, start: Start
) -> None:
    async with start(rolling(shop, embedder.artifact, share=1.0)) as running:
        assert await asked(running) == version(shop.base.digest)
        found = await compared(running, len(TEXTS))
    assert (found.texts, found.agreeing) == (len(TEXTS), 0)


async def test_an_artifact_whose_numbers_are_not_finite_is_refused_and_not_taken_for_a_broken_device(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    loaded = load_artifact(shop.base.path)
    with torch.no_grad():
        loaded.grid.readout.head.weight.fill_(float("nan"))
    digest = save_artifact(tmp_path / "nan", loaded.grid, loaded.tokenizer, provenance={"made": "badly"})
    artifact = Artifact(uri=(tmp_path / "nan").as_uri(), digest=digest)
    async with start(rolling(shop, artifact, share=1.0)) as running:
        candidate = report_of(running, NAME)
        assert candidate is not None
        assert (candidate.state, candidate.reason) == ("Failed", "ArtifactUnsupported")
        assert "not finite" in candidate.message
        assert running.worker.problem() == ""


async def test_a_candidate_that_was_given_up_is_tried_again_under_another_cut(
    shop: Shop, other: Saved, start: Start
) -> None:
    def plan(floor: int) -> Plan:
        candidate = Candidate(artifact=other.artifact, cut=Cut(students_floor=floor))
        return make_plan(Ensemble(name="films", artifact=shop.base.artifact, candidate=candidate))

    async with start(plan(9)) as running:
        report = report_of(running, NAME)
        assert report is not None and report.reason == "StudentsOutOfRange"
        await running.swap(plan(2))
        report = report_of(running, NAME)
        assert report is not None and report.state == "Serving"


@given(st.floats(0, 1), st.integers(1, 400))
def test_a_trial_gets_its_share_of_the_requests_evenly(share: float, requests: int) -> None:
    trial = Trial(hosted=None, share=share)  # type: ignore[arg-type]
    mine = 0
    for count in range(1, requests + 1):
        mine += trial.due()
        assert abs(mine - share * count) <= 1 + 1e-6


vectors = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3).map(tuple)


@given(vectors, vectors)
def test_a_cosine_is_within_its_bounds_and_the_same_both_ways(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    assert -1 - 1e-9 <= cosine(one, other) <= 1 + 1e-9
    assert cosine(one, other) == pytest.approx(cosine(other, one))


def test_embeddings_agree_in_direction_whatever_their_length() -> None:
    assert cosine((1.0, 2.0), (2.0, 4.0)) >= AGREEING_COSINE
    assert cosine((1.0, 0.0), (0.0, 1.0)) < AGREEING_COSINE
    assert cosine((1.0, 0.0), (1.0,)) == 0.0 == cosine((0.0, 0.0), (1.0, 1.0))
