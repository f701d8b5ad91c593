"""Results exit, inputs do not: ramps answer early, are measured always, and never speak for tenants."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from phalanx_contract.plan import Cut
from phalanx_grid import Batch, RampStep, load_artifact
from tests.server.artifacts import ROWS, TEXTS, Saved, reference
from tests.server.conftest import Shop, Start
from tests.server.waiting import until

ALWAYS = Cut(thresholds=(1.0,) * (ROWS - 1))


def ramp_probabilities(saved: Saved, text: str, row: int) -> list[float]:
    loaded = load_artifact(saved.path)
    batch = Batch.pad([loaded.tokenizer.encode([text])[0].ids], loaded.grid.geometry.pad_id)
    steps = loaded.grid.steps(batch, students=loaded.grid.geometry.students)
    spoken = {step.row: step.logits for step in steps if isinstance(step, RampStep)}
    return torch.softmax(spoken[row][0], -1).tolist()


async def ask(running: Any, texts: tuple[str, ...], model: str = "films", **more: Any) -> tuple[list[float], list[str]]:
    body = {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}], **more}
    status, answer, headers = await running.post(f"/v2/models/{model}/infer", body)
    assert status == 200
    return answer["outputs"][0]["data"], headers["X-Phalanx-Exit-Row"].split(",")


async def test_a_confident_ramp_answers_for_its_text(shop: Shop, start: Start) -> None:
    async with start(shop.plan(cut=ALWAYS)) as running:
        scores, rows = await ask(running, TEXTS[:1])
    assert rows == ["0"]
    assert scores == pytest.approx(ramp_probabilities(shop.base, TEXTS[0], 0), abs=1e-4)


async def test_texts_of_one_batch_leave_at_rows_of_their_own(shop: Shop, start: Start) -> None:
    confidence = [max(ramp_probabilities(shop.base, text, 0)) for text in TEXTS]
    middle = sorted(1 - value for value in confidence)[len(TEXTS) // 2]
    expected = ["0" if 1 - value < middle else "final" for value in confidence]
    async with start(shop.plan(cut=Cut(thresholds=(middle,)))) as running:
        scores, rows = await ask(running, TEXTS)
    assert {"0", "final"} == set(expected)
    assert rows == expected
    for index, row in enumerate(rows):
        wanted = (
            ramp_probabilities(shop.base, TEXTS[index], 0) if row == "0" else reference(shop.base, [TEXTS[index]])[0]
        )
        assert scores[3 * index : 3 * index + 3] == pytest.approx(wanted, abs=1e-4)


async def test_threshold_zero_never_exits(shop: Shop, start: Start) -> None:
    async with start(shop.plan(cut=Cut(thresholds=(0.0, 0.0)))) as running:
        _, rows = await ask(running, TEXTS)
    assert set(rows) == {"final"}


async def test_tenants_and_embeddings_run_to_the_end(shop: Shop, start: Start) -> None:
    async with start(shop.plan(cut=ALWAYS)) as running:
        _, tenant_rows = await ask(running, TEXTS, "films:acme")
        _, embedding_rows = await ask(running, TEXTS, outputs=[{"name": "embedding"}])
    assert set(tenant_rows) == set(embedding_rows) == {"final"}


async def test_every_ramp_is_measured_for_every_base_text_whether_it_exits_or_not(shop: Shop, start: Start) -> None:
    def count(exposition: str, name: str, **labels: str) -> float:
        lines = re.findall(rf"^{name}{{(.*)}} (.*)$", exposition, re.MULTILINE)
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(value) for found, value in lines if all(label in found for label in wanted))

    async with start(shop.plan(cut=Cut(thresholds=(1.0,)))) as running:
        await ask(running, TEXTS)
        await ask(running, TEXTS, "films:acme")
        await until(lambda: running.worker.answering.in_engine == 0)
        exposition = await running.metrics()
    for row in range(ROWS - 1):
        assert count(exposition, "phalanx_ramp_score_count", ensemble="films", row=str(row)) == len(TEXTS)
    agree = [
        max(range(3), key=ramp_probabilities(shop.base, text, 0).__getitem__)
        == max(range(3), key=reference(shop.base, [text])[0].__getitem__)
        for text in TEXTS
    ]
    assert count(exposition, "phalanx_ramp_score_count", row="0", agrees="true") == sum(agree)
    assert count(exposition, "phalanx_exits_total", row="0") == len(TEXTS)
    assert count(exposition, "phalanx_exits_total", row="final") == len(TEXTS)
    assert count(exposition, "phalanx_answers_total", students="3") == 2 * len(TEXTS)
    assert count(exposition, "phalanx_request_seconds_count", ensemble="films") == 2 * len(TEXTS)
    assert count(exposition, "phalanx_requests_total", code="200") == 2 * len(TEXTS)
