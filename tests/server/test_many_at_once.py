"""Many clients and many tenants at once: everyone gets their own answers, and only those."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import msgspec
import pytest

from phalanx_contract.plan import Cut
from phalanx_grid import load_artifact
from tests.server.artifacts import TEXTS, WORDS, ensemble, make_plan, reference
from tests.server.conftest import API_KEY, Running, Shop, Start
from tests.server.gate import Gate
from tests.server.waiting import until


def body(*texts: str) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}]}


def scores(answer: dict[str, Any]) -> list[float]:
    return answer["outputs"][0]["data"]


def lengths(shop: Shop, *texts: str) -> list[int]:
    """Tokens of each text."""
    return [len(encoding.ids) for encoding in load_artifact(shop.base.path).tokenizer.encode(list(texts))]


def asked(running: Running) -> float:
    """Tokens that clients of `films` have asked for, fading within a second."""
    shelf = running.worker.registry.hosted["films"].shelf
    assert shelf is not None
    return shelf.model.offered.now.slow.tokens


async def occupied(running: Running, gate: Gate) -> asyncio.Task[Any]:
    """Wait until a request of one text is in the engine, which is held at the gate."""
    first = asyncio.create_task(running.post("/v2/models/films/infer", body("bright")))
    await until(lambda: bool(gate.turns))
    return first


async def test_a_batch_of_many_tenants_equals_each_alone(shop: Shop, start: Start, gate: Gate) -> None:
    names = ["", "acme", "brick", "locked"]
    async with start(shop.plan()) as running:
        with gate.closed():
            first = await occupied(running, gate)
            requests = [
                asyncio.create_task(
                    running.post(
                        f"/v2/models/films{':' if name else ''}{name}/infer",
                        body(text),
                        Authorization=f"Bearer {API_KEY}",
                    )
                )
                for text in TEXTS
                for name in names
            ]
            await until(lambda: running.worker.answering.in_engine == len(requests) + 1)
        answers = [answer for _, answer, _ in await asyncio.gather(*requests)]
        await first
        slots = [{work.item.slot for work in turn.works} for turn in gate.turns]
    assert any(len(mixed) == len(names) for mixed in slots), "no batch held all tenants"
    expected = [
        reference(shop.base, [text], tenant=shop.tenants[name] if name else None)[0] for text in TEXTS for name in names
    ]
    for answer, wanted in zip(answers, expected, strict=True):
        assert scores(answer) == pytest.approx(wanted, abs=1e-4)


async def test_concurrent_batches_get_their_own_answers_in_order(shop: Shop, start: Start) -> None:
    draw = random.Random(7)
    batches = [
        tuple(" ".join(draw.choices(WORDS, k=draw.randint(1, 20))) for _ in range(draw.randint(1, 9)))
        for _ in range(40)
    ]
    async with start(shop.plan(), batch_texts=5) as running:
        answers = await asyncio.gather(*(running.post("/v2/models/films/infer", body(*texts)) for texts in batches))
    for texts, (status, answer, headers) in zip(batches, answers, strict=True):
        assert status == 200
        flat = [value for row in reference(shop.base, texts) for value in row]
        assert scores(answer) == pytest.approx(flat, abs=1e-4)
        assert len(headers["X-Phalanx-Exit-Row"].split(",")) == len(texts)


async def test_tenants_that_come_and_go_never_get_each_others_answers(shop: Shop, start: Start) -> None:
    """With one slot for three tenants every change of tenant evicts the one before."""
    expected = {name: reference(shop.base, TEXTS[:1], tenant=saved)[0] for name, saved in shop.tenants.items()}
    async with start(shop.plan(), adapter_slots=1) as running:

        async def ask(name: str) -> None:
            path = f"/v2/models/films:{name}/infer"
            status, answer, headers = await running.post(path, body(TEXTS[0]), Authorization=f"Bearer {API_KEY}")
            if status == 200:
                assert scores(answer) == pytest.approx(expected[name], abs=1e-4)
                served.add(name)
            else:
                assert status == 429
                assert int(headers["Retry-After"]) >= 1

        served: set[str] = set()
        for _ in range(10):
            await asyncio.gather(*(ask(name) for name in shop.tenants for _ in range(2)))
        for name in shop.tenants:
            await ask(name)
    assert served == set(shop.tenants)


async def test_a_client_that_leaves_takes_its_waiting_texts_along(shop: Shop, start: Start, gate: Gate) -> None:
    async with start(shop.plan()) as running:
        with gate.closed():
            first = await occupied(running, gate)
            leaving = asyncio.create_task(running.post("/v2/models/films:acme/infer", body(*TEXTS)))
            await until(lambda: running.worker.answering.in_engine == len(TEXTS) + 1)
            leaving.cancel()
            await until(lambda: running.worker.active == 1)
        assert (await first)[0] == 200
        await until(lambda: running.worker.answering.in_engine == 0)
        exposition = await running.metrics()
        assert [len(turn.works) for turn in gate.turns] == [1]
        assert 'phalanx_queue_tokens{ensemble="films"} 0.0' in exposition
        assert 'phalanx_requests_total{code="499",ensemble="films"} 6.0' in exposition
        assert running.worker.registry.hosted["films"].admission.tokens == 0


async def test_a_text_that_waits_too_long_is_told_so(shop: Shop, start: Start, gate: Gate) -> None:
    async with start(shop.plan(), request_timeout_s=0.1) as running:
        with gate.closed():
            first = await occupied(running, gate)
            late = asyncio.create_task(running.post("/v2/models/films/infer", body("good")))
            await until(lambda: running.worker.answering.in_engine == 2)
            await asyncio.sleep(0.12)
        assert (await first)[0] == 200
        status, answer, headers = await late
    assert status == 503
    assert "time limit" in answer["error"]
    assert headers["Retry-After"] == "1"


async def test_a_failing_batch_hurts_only_its_own_texts(shop: Shop, start: Start, gate: Gate) -> None:
    def fail(turn: Any) -> None:
        if len(turn.works) == 2:
            raise RuntimeError("the device hiccups")

    gate.fail = fail
    async with start(shop.plan()) as running:
        status, answer, _ = await running.post("/v2/models/films/infer", body(*TEXTS[:2]))
        after, _, _ = await running.post("/v2/models/films/infer", body(*TEXTS[:3]))
        ready, _ = await running.get("/v2/health/ready")
        await until(lambda: running.worker.answering.in_engine == 0)
    assert status == 500
    assert "the device hiccups" in answer["error"]
    assert (after, ready) == (200, 200)


async def test_a_dead_device_fails_readiness_and_a_revived_one_restores_it(
    shop: Shop, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(shop.plan(), self_check_s=0.02) as running:
        executor = running.worker.registry.hosted["films"].shelf.model.executor
        steps = executor.steps

        def dead(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("device lost")

        async def readiness() -> int:
            return (await running.get("/v2/health/ready"))[0]

        executor.steps = dead
        await until(lambda: "device lost" in running.worker.problem())
        assert await readiness() == 503
        assert (await running.get("/v2/health/live"))[0] == 200
        executor.steps = steps
        await until(lambda: running.worker.problem() == "")
        assert await readiness() == 200


async def test_a_hung_device_fails_readiness(shop: Shop, start: Start, gate: Gate) -> None:
    async with start(shop.plan(), stall_s=0.2) as running:
        with gate.closed():
            first = await occupied(running, gate)
            await until(lambda: "in one batch" in running.worker.problem())
            assert (await running.get("/v2/health/ready"))[0] == 503
        await first
        await until(lambda: running.worker.problem() == "")
        assert (await running.get("/v2/health/ready"))[0] == 200


async def test_a_full_queue_answers_429_and_when_to_come_back(shop: Shop, start: Start, gate: Gate) -> None:
    async with start(shop.plan(objective_s=1e-6), queue_min_tokens=30) as running:
        with gate.closed():
            first = await occupied(running, gate)
            taken = asyncio.create_task(running.post("/v2/models/films/infer", body("good")))
            await until(lambda: running.worker.answering.in_engine == 2)
            status, answer, headers = await running.post("/v2/models/films/infer", body(*TEXTS))
            tei, refused, _ = await running.post("/predict", {"inputs": list(TEXTS)})
            exposition = await running.metrics()
            offered = asked(running)
        assert (await first)[0] == (await taken)[0] == 200
    assert (status, tei) == (429, 429)
    assert "overloaded" in answer["error"]
    assert refused["error_type"] == "Overloaded"
    assert int(headers["Retry-After"]) >= 1
    assert f'phalanx_shed_total{{ensemble="films"}} {2.0 * len(TEXTS)}' in exposition
    assert offered >= sum(lengths(shop, *TEXTS)) > sum(lengths(shop, "bright", "good")), "what was shed counts too"


@pytest.mark.usefixtures("even_device")
async def test_a_burst_drops_students_and_calm_brings_them_back(shop: Shop, start: Start, gate: Gate) -> None:
    """The device's speed is given: where a busy machine needs longer than 20 ms for a text, no student comes back."""
    plan = shop.plan(objective_s=0.02, cut=Cut(students_floor=1))
    async with start(plan, queue_slack=1000, request_timeout_s=600) as running:
        with gate.closed():
            first = await occupied(running, gate)
            burst = [asyncio.create_task(running.post("/v2/models/films/infer", body(*TEXTS * 40))) for _ in range(8)]
            await until(lambda: running.worker.answering.in_engine == 8 * 40 * len(TEXTS) + 1)
        await first
        assert all(status == 200 for status, _, _ in await asyncio.gather(*burst))
        during = {turn.students for turn in gate.turns}

        async def recovered() -> bool:
            _, _, headers = await running.post("/v2/models/films/infer", body("good"))
            return headers["X-Phalanx-Students"] == "3"

        await until(recovered)
    assert 1 in during


async def test_the_plans_ceiling_and_floor_are_kept(shop: Shop, start: Start) -> None:
    async with start(shop.plan(cut=Cut(students_floor=2, students_ceiling=2))) as running:
        status, answer, headers = await running.post("/v2/models/films/infer", body(*TEXTS))
    assert status == 200
    assert headers["X-Phalanx-Students"] == "2"
    flat = [value for row in reference(shop.base, TEXTS, students=2) for value in row]
    assert scores(answer) == pytest.approx(flat, abs=1e-4)


async def test_what_a_tenant_asks_beyond_its_rate_does_not_count_as_load(shop: Shop, start: Start) -> None:
    limited = [msgspec.structs.replace(tenant, rate_tokens_per_s=0.001) for tenant in shop.adapters("acme")]
    async with start(make_plan(ensemble("films", shop.base, adapters=limited))) as running:
        path = "/v2/models/films:acme/infer"
        assert (await running.post(path, body("good")))[0] == 200
        before = asked(running)
        assert [(await running.post(path, body(*TEXTS)))[0] for _ in range(3)] == [429] * 3
        assert asked(running) == before


async def test_a_tenant_without_a_slot_is_answered_beside_a_busy_one_and_its_wait_for_it_counts(
    shop: Shop, start: Start, gate: Gate
) -> None:
    async with start(shop.plan(), adapter_slots=1) as running:
        hosted = running.worker.registry.hosted["films"]
        assert hosted.shelf is not None

        async def asked(name: str) -> asyncio.Task[Any]:
            """A request that was admitted, and may wait for its slot."""
            before = hosted.admission.tokens
            request = asyncio.create_task(running.post(f"/v2/models/films:{name}/infer", body("good")))
            await until(lambda: hosted.admission.tokens > before)
            return request

        with gate.closed():
            requests = [await asked("acme")]
            await until(lambda: bool(gate.turns))
            requests.append(await asked("brick"))
            await until(lambda: bool(hosted.shelf.leases._barred))
            requests.append(await asked("acme"))
            assert running.worker.answering.in_engine == 1, "a barred slot took a new pin"
            opened_s = time.monotonic()
        answers = await asyncio.gather(*requests)
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert [len(scores(answer)) for _, answer, _ in answers] == [2, 4, 2]
    assert all(work.item.arrival_s < opened_s for turn in gate.turns for work in turn.works)


async def test_a_request_that_gets_no_slot_in_time_is_counted_as_shed_and_holds_nothing(
    shop: Shop, start: Start, gate: Gate
) -> None:
    async with start(shop.plan(), adapter_slots=1, request_timeout_s=0.2) as running:
        with gate.closed():
            first = asyncio.create_task(running.post("/v2/models/films:acme/infer", body("good")))
            await until(lambda: bool(gate.turns))
            status, answer, _ = await running.post("/v2/models/films:brick/infer", body("bad", "good"))
        assert (await first)[0] == 200
        await until(lambda: running.worker.answering.in_engine == 0)
        exposition = await running.metrics()
        assert running.worker.registry.hosted["films"].admission.tokens == 0
    assert status == 429
    assert "adapter slots" in answer["error"]
    assert 'phalanx_shed_total{ensemble="films"} 2.0' in exposition
