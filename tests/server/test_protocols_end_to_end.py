"""Each protocol over HTTP, held against the artifact run in Python."""

from __future__ import annotations

import base64
import math
import struct

import pytest

from tests.server.artifacts import (
    HIDDEN,
    LABELS,
    ROWS,
    STUDENTS,
    TEXTS,
    Saved,
    embeddings,
    ensemble,
    make_plan,
    reference,
)
from tests.server.conftest import API_KEY, Shop, Start


def infer_body(texts: tuple[str, ...], **more: object) -> dict[str, object]:
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}], **more}


async def test_infer_answers_as_the_artifact_does_in_python(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        status, body, headers = await running.post("/v2/models/films/infer", infer_body(TEXTS, id="42"))
    assert status == 200
    expected = reference(shop.base, TEXTS)
    outputs = {output["name"]: output for output in body["outputs"]}
    assert body["id"] == "42"
    assert body["model_name"] == "films"
    assert outputs["scores"]["shape"] == [len(TEXTS), len(LABELS)]
    assert outputs["scores"]["data"] == pytest.approx([value for row in expected for value in row], abs=1e-5)
    assert outputs["label"]["data"] == [LABELS[row.index(max(row))] for row in expected]
    assert headers["X-Phalanx-Students"] == str(STUDENTS) == body["parameters"]["students"]
    assert headers["X-Phalanx-Exit-Row"] == ",".join(["final"] * len(TEXTS))
    assert headers["X-Phalanx-Fidelity"] == "fp32"
    assert headers["X-Phalanx-Plan"] == body["parameters"]["plan"]


async def test_predict_gives_one_list_for_one_text_best_label_first(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        status, body, headers = await running.post("/predict", {"inputs": TEXTS[0]})
    expected = reference(shop.base, TEXTS[:1])[0]
    assert status == 200
    assert [entry["label"] for entry in body] == [LABELS[i] for i in sorted(range(3), key=lambda i: -expected[i])]
    assert sum(entry["score"] for entry in body) == pytest.approx(1.0)
    assert int(headers["x-compute-tokens"]) == 6
    assert {"x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time"} <= {h.lower() for h in headers}


@pytest.mark.parametrize("inputs", [list(TEXTS), [[text] for text in TEXTS]], ids=["flat", "nested"])
async def test_predict_gives_a_list_of_lists_for_several_texts(shop: Shop, start: Start, inputs: list[object]) -> None:
    async with start(shop.plan()) as running:
        _, body, _ = await running.post("/predict", {"inputs": inputs, "raw_scores": False})
    for row, expected in zip(body, reference(shop.base, TEXTS), strict=True):
        assert {entry["label"]: entry["score"] for entry in row} == pytest.approx(
            dict(zip(LABELS, expected, strict=True)), abs=1e-5
        )


async def test_embeddings_of_all_three_protocols_are_the_same_vectors(embedder: Saved, start: Start) -> None:
    async with start(make_plan(ensemble("vectors", embedder))) as running:
        _, embed, _ = await running.post("/embed", {"inputs": list(TEXTS), "normalize": False})
        _, openai, _ = await running.post("/v1/embeddings", {"input": list(TEXTS), "model": "vectors"})
        body = {"input": TEXTS[0], "model": "vectors", "encoding_format": "base64"}
        _, packed, _ = await running.post("/v1/embeddings", body)
        _, infer, _ = await running.post("/v2/models/vectors/infer", infer_body(TEXTS, parameters={"normalize": False}))
    expected = embeddings(embedder, TEXTS)
    for got, wanted in zip(embed, expected, strict=True):
        assert got == pytest.approx(wanted, abs=1e-5)
    assert infer["outputs"][0]["shape"] == [len(TEXTS), HIDDEN]
    assert infer["outputs"][0]["data"] == pytest.approx([value for row in expected for value in row], abs=1e-5)
    vectors = [entry["embedding"] for entry in openai["data"]]
    assert [entry["index"] for entry in openai["data"]] == list(range(len(TEXTS)))
    assert all(math.hypot(*vector) == pytest.approx(1.0) for vector in vectors)
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{HIDDEN}f", raw) == pytest.approx(vectors[0], abs=1e-6)
    assert openai["usage"]["prompt_tokens"] == openai["usage"]["total_tokens"] > len(TEXTS)


async def test_a_classifier_gives_scores_and_embeddings_in_one_request_if_asked(shop: Shop, start: Start) -> None:
    wanted = infer_body(TEXTS[:2], outputs=[{"name": "embedding"}, {"name": "label"}], parameters={"normalize": False})
    async with start(shop.plan()) as running:
        _, body, _ = await running.post("/v2/models/films/infer", wanted)
    assert [output["name"] for output in body["outputs"]] == ["embedding", "label"]
    flat = [value for row in embeddings(shop.base, TEXTS[:2]) for value in row]
    assert body["outputs"][0]["data"] == pytest.approx(flat, abs=1e-5)


async def test_tenants_are_named_by_model_or_header_and_have_heads_of_their_own(shop: Shop, start: Start) -> None:
    expected = reference(shop.base, TEXTS[:1], tenant=shop.tenants["brick"])[0]
    async with start(shop.plan()) as running:
        _, by_model, _ = await running.post("/v2/models/films:brick/infer", infer_body(TEXTS[:1]))
        _, by_header, _ = await running.post("/predict", {"inputs": TEXTS[0]}, **{"X-Phalanx-Tenant": "brick"})
    assert by_model["model_name"] == "films:brick"
    assert by_model["outputs"][0]["data"] == pytest.approx(expected, abs=1e-5)
    labels = dict(zip(("a", "b", "c", "d"), expected, strict=True))
    assert {entry["label"]: entry["score"] for entry in by_header} == pytest.approx(labels, abs=1e-5)


async def test_a_tenant_with_a_key_answers_only_to_it(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        refused, body, headers = await running.post("/v2/models/films:locked/infer", infer_body(TEXTS[:1]))
        wrong, _, _ = await running.post(
            "/v2/models/films:locked/infer", infer_body(TEXTS[:1]), Authorization="Bearer x"
        )
        bearer = f"Bearer {API_KEY}"
        right, _, _ = await running.post("/v2/models/films:locked/infer", infer_body(TEXTS[:1]), Authorization=bearer)
    assert (refused, wrong, right) == (401, 401, 200)
    assert "API key" in body["error"]
    assert headers["WWW-Authenticate"] == "Bearer"


async def test_metadata_describes_the_model(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        _, server = await running.get("/v2")
        _, model = await running.get("/v2/models/films")
        ready, _ = await running.get("/v2/models/films/ready")
        _, index, _ = await running.post("/v2/repository/index", {"ready": True})
        _, info = await running.get("/info")
    assert server["name"] == "phalanx"
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert {output["name"]: output["shape"] for output in model["outputs"]} == {
        "scores": [-1, 3], "label": [-1], "embedding": [-1, HIDDEN],
    }  # fmt: skip
    assert ready == 200
    assert [(entry["name"], entry["state"]) for entry in index] == [("films", "READY")]
    assert info["model_id"] == "films"
    assert info["model_type"]["classifier"]["label2id"]["positive"] == 2


async def test_status_reports_what_is_served(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        _, status = await running.get("/phalanx/status")
        ready, _ = await running.get("/v2/health/ready")
        live, _ = await running.get("/v2/health/live")
    assert (ready, live) == (200, 200)
    assert status["ready"] is True
    assert status["adapters"] == []
    assert status["ensembles"][0] | {"wanted_digest": "", "digest": ""} == {
        "name": "films", "wanted_digest": "", "digest": "", "state": "Serving", "field": "", "reason": "",
        "message": "", "students": STUDENTS, "rows": ROWS, "ramps": ROWS - 1,
        "classes": len(LABELS), "agreement": [], "accuracy": [], "compared": None,
        "unfit": 0, "unfit_tenant": "",
    }  # fmt: skip
