"""Whatever is sent, the answer has the right status, one line of reason, and the server goes on."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phalanx_contract.plan import Adapter
from phalanx_grid import Tokenizer
from phalanx_server.errors import EmptyText
from phalanx_server.serving.tokens import TokenThreads
from tests.server.artifacts import TEXTS, ensemble, make_plan, save_tenant
from tests.server.conftest import Running, Shop, Start
from tests.server.waiting import until

INFER, PREDICT, EMBED, OPENAI = "/v2/models/films/infer", "/predict", "/embed", "/v1/embeddings"


def tensor(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"], **changes}]}


LONG = "good " * 100_000
CASES: list[tuple[str, str, Any, int, str]] = [
    ("malformed JSON", INFER, b'{"inputs": [', 400, "JSON"),
    ("malformed JSON", PREDICT, b"not json", 400, "JSON"),
    ("malformed JSON", OPENAI, b"\xff\xfe", 400, "JSON"),
    ("an empty body", PREDICT, b"", 400, "JSON"),
    ("nesting without end", PREDICT, b'{"inputs":' + b"[" * 100_000, 422, "inputs"),
    ("nesting without end", INFER, b'{"inputs":[{"data":' + b"[" * 100_000, 400, "nested"),
    ("no inputs", INFER, {}, 400, "inputs"),
    ("no inputs", PREDICT, {}, 422, "inputs"),
    ("a number", PREDICT, {"inputs": 7}, 422, "inputs"),
    ("a list of numbers", EMBED, {"inputs": [1, 2]}, 422, "inputs"),
    ("a pair of texts", PREDICT, {"inputs": [["good", "bad"]]}, 422, "pairs"),
    ("two tensors", INFER, {"inputs": tensor()["inputs"] * 2}, 400, "inputs"),
    ("a tensor of numbers", INFER, tensor(datatype="FP32", data=[1.0]), 400, "datatype"),
    ("numbers as texts", INFER, tensor(data=[1]), 400, "data"),
    ("a shape that is not filled", INFER, tensor(shape=[3]), 400, "shape"),
    ("a negative shape", INFER, tensor(shape=[-1]), 400, "shape"),
    ("a deep shape", INFER, tensor(shape=[1, 1, 1]), 400, "shape"),
    ("an unknown output", INFER, {**tensor(), "outputs": [{"name": "logprobs"}]}, 400, "logprobs"),
    ("an id that is no string", INFER, {**tensor(), "id": 3}, 400, "id"),
    ("no text", PREDICT, {"inputs": []}, 400, "empty"),
    ("an empty text", PREDICT, {"inputs": ""}, 400, "empty"),
    ("an empty text among others", EMBED, {"inputs": ["good", " "]}, 400, "inputs[1]"),
    ("an empty text", INFER, tensor(data=[""]), 400, "empty"),
    ("an empty text", OPENAI, {"input": "", "model": "films"}, 400, "empty"),
    ("token numbers", OPENAI, {"input": [1, 2], "model": "films"}, 400, "token"),
    ("fewer dimensions", OPENAI, {"input": "good", "model": "films", "dimensions": 8}, 400, "dimensions"),
    ("no model", OPENAI, {"input": "good"}, 400, "model"),
    ("100,000 tokens", PREDICT, {"inputs": LONG}, 422, "truncate"),
    ("100,000 tokens", INFER, tensor(data=[LONG]), 422, "truncate"),
    ("33 words for 32 tokens", PREDICT, {"inputs": "good " * 33}, 422, "tokens"),
    ("too many texts", PREDICT, {"inputs": ["good"] * 513}, 422, "513"),
    ("too many texts", INFER, tensor(shape=[513], data=["good"] * 513), 400, "513"),
    ("an unknown model", "/v2/models/songs/infer", tensor(), 404, "songs"),
    ("an unknown model", OPENAI, {"input": "good", "model": "songs"}, 404, "songs"),
    ("an unknown tenant", "/v2/models/films:nobody/infer", tensor(), 404, "nobody"),
    ("an empty tenant", "/v2/models/films:/infer", tensor(), 404, "tenant"),
    ("an unknown path", "/v3/models", {}, 404, "/v3/models"),
    ("an unknown version", "/v2/models/films/versions/0/infer", tensor(), 404, "version"),
    ("a body of 10 MB", PREDICT, b'{"inputs": "' + b"a" * 10_000_000 + b'"}', 413, "bytes"),
    ("a body of 10 MB", INFER, b'{"inputs": "' + b"a" * 10_000_000 + b'"}', 413, "bytes"),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "word"), [case[1:] for case in CASES], ids=[f"{case[0]} to {case[1]}" for case in CASES]
)
async def test_a_bad_request_gets_its_status_and_one_line(
    shop: Shop, start: Start, path: str, body: Any, status: int, word: str
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with start(shop.plan()) as running:
        got, message, _ = await send(running, path, data)
        assert got == status
        assert word in message
        assert "\n" not in message
        await healthy(running)


@pytest.mark.parametrize("path", [INFER, PREDICT, EMBED, OPENAI])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", ""])
async def test_only_json_is_read(shop: Shop, start: Start, path: str, kind: str) -> None:
    async with start(shop.plan()) as running:
        status, message, _ = await send(running, path, b'{"inputs": "good"}', kind=kind)
    assert status == 415
    assert "application/json" in message


@pytest.mark.parametrize("encoding", ["snappy", "x-gzip", "gzip, gzip"])
async def test_a_body_in_an_encoding_that_is_not_read_is_refused_by_its_name(
    shop: Shop, start: Start, encoding: str
) -> None:
    async with start(shop.plan()) as running:
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        async with running.client.post(PREDICT, data=b'{"inputs": "good"}', headers=headers) as response:
            assert response.status == 415
            assert encoding in (await response.json())["error"]


@pytest.mark.parametrize("path", [PREDICT, "/v2/repository/index"])
async def test_a_body_that_is_not_what_its_encoding_says_is_refused(shop: Shop, start: Start, path: str) -> None:
    async with start(shop.plan()) as running:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        async with running.client.post(path, data=b"plain", headers=headers) as response:
            assert response.status == 400
            assert "Content-Encoding" in (await response.json())["error"]


async def test_a_text_that_the_tokenizer_leaves_nothing_of_is_refused_alone() -> None:
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"good": 0, "?": 1}, unk_token="?"))
    inner.normalizer = tokenizers.normalizers.Replace("_", "")
    threads, tokenizer = TokenThreads(1), Tokenizer(inner.to_str().encode(), 8)
    for long in ("_", "_" * 400):
        with pytest.raises(EmptyText, match="text 1 has nothing"):
            await threads.encode(tokenizer, ["good", long], truncate=True)
    threads.close()


async def test_gzip_is_read(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        headers = {"Content-Type": "application/json", "Content-Encoding": "GZIP"}
        data = gzip.compress(b'{"inputs": "good"}')
        async with running.client.post(PREDICT, data=data, headers=headers) as response:
            assert response.status == 200


async def test_a_long_text_is_cut_if_the_client_says_so(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        status, _, headers = await running.post(PREDICT, {"inputs": LONG, "truncate": True})
        body = {**tensor(data=[LONG]), "parameters": {"truncate": True}}
        also, _, _ = await running.post(INFER, body)
        openai, _, _ = await running.post(OPENAI, {"input": LONG, "model": "films", "truncate": True})
        null, _, _ = await running.post(PREDICT, {"inputs": LONG, "truncate": None})
    assert (status, also, openai, null) == (200, 200, 200, 422)
    assert headers["x-compute-tokens"] == "32"


async def test_a_chunked_body_is_measured_as_it_comes(shop: Shop, start: Start) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b"a" * 10_000

    async with start(shop.plan()) as running:
        headers = {"Content-Type": "application/json"}
        try:
            async with running.client.post(PREDICT, data=endless(), headers=headers) as response:
                assert response.status == 413
        except OSError:  # the server has hung up on the rest
            pass
        await healthy(running)


async def test_the_wrong_method_is_405(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running, running.client.get(PREDICT) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert (await response.json())["error_type"] == "Validation"


async def test_a_tenant_without_labels_gives_embeddings_alone(shop: Shop, start: Start, tmp_path: Path) -> None:
    mute = save_tenant(tmp_path / "mute", shop.base, labels=(), seed=4)
    plan = make_plan(ensemble("films", shop.base, adapters=[Adapter(name="mute", artifact=mute.artifact)]))
    async with start(plan) as running:
        status, body, _ = await running.post("/v2/models/films:mute/infer", tensor())
        asked, _, _ = await running.post("/v2/models/films:mute/infer", {**tensor(), "outputs": [{"name": "label"}]})
    assert (status, asked) == (200, 400)
    assert [output["name"] for output in body["outputs"]] == ["embedding"]


NOT_HTTP = {
    "a body that is not in its encoding": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    "a path without end": b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
}


@pytest.mark.parametrize("sent", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_bytes_that_are_not_http_get_400_and_leave_no_traceback(
    shop: Shop, start: Start, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with start(shop.plan()) as running:
        reader, writer = await asyncio.open_connection(running.client.host, running.client.port)
        writer.write(sent)
        assert (await reader.readline()).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        await reader.read()
        writer.close()
        await healthy(running)
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]


async def test_two_ensembles_need_a_name(shop: Shop, start: Start) -> None:
    plan = make_plan(ensemble("films", shop.base), ensemble("songs", shop.base))
    async with start(plan) as running:
        status, body, _ = await running.post(PREDICT, {"inputs": TEXTS[0]})
        by_query, _, _ = await running.post(f"{PREDICT}?model=songs", {"inputs": TEXTS[0]})
        by_header, _, _ = await running.post(PREDICT, {"inputs": TEXTS[0]}, **{"X-Phalanx-Model": "films"})
        unknown, _, _ = await running.post(f"{PREDICT}?model=x", {"inputs": TEXTS[0]})
    assert status == 422
    assert "films, songs" in body["error"]
    assert (by_query, by_header, unknown) == (200, 200, 404)


async def test_two_different_tenants_in_one_request_are_refused(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        status, _, _ = await running.post("/v2/models/films:acme/infer", tensor(), **{"X-Phalanx-Tenant": "brick"})
    assert status == 422


@pytest.mark.parametrize("name", ["X-Phalanx-Tenant", "X-Phalanx-Model"])
async def test_a_header_that_names_two_is_refused(shop: Shop, start: Start, name: str) -> None:
    async with start(shop.plan()) as running:
        values = ("acme", "brick") if name.endswith("Tenant") else ("films", "songs")
        twice, same = ([(name, each) for each in pair] for pair in (values, values[:1] * 2))
        async with running.client.post(PREDICT, json={"inputs": "good"}, headers=twice) as response:
            assert response.status == 422
            assert name in (await response.json())["error"]
        async with running.client.post(PREDICT, json={"inputs": "good"}, headers=same) as response:
            assert response.status == 200


async def test_each_protocol_has_errors_in_its_own_shape(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:
        _, oip, _ = await running.post("/v2/models/x/infer", tensor())
        _, tei, _ = await running.post(PREDICT, {"inputs": ""})
        _, openai, _ = await running.post(OPENAI, {"input": "good", "model": "x"})
    assert list(oip) == ["error"]
    assert tei == {"error": "`inputs` cannot be empty", "error_type": "Empty"}
    assert set(openai["error"]) == {"message", "type", "param", "code"}
    assert openai["error"]["code"] == "model_not_found"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field = st.sampled_from(
    [
        "inputs",
        "input",
        "model",
        "parameters",
        "outputs",
        "id",
        "truncate",
        "raw_scores",
        "normalize",
        "encoding_format",
    ]
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": json_values, "shape": st.lists(st.integers(-2, 3), max_size=3) | json_values,
        "datatype": st.sampled_from(["BYTES", "FP32"]) | json_values,
        "data": st.lists(st.text(max_size=9)) | json_values,
    },
)  # fmt: skip
near_misses = st.dictionaries(field, json_values | st.lists(tensors, max_size=2), max_size=5)
bodies = st.binary(max_size=60) | (json_values | near_misses).map(lambda value: json.dumps(value).encode())
paths = st.sampled_from([INFER, PREDICT, EMBED, OPENAI, "/v2/models/films:acme/infer", "/v2/repository/index"])


async def test_no_body_unsettles_the_server(shop: Shop, start: Start) -> None:
    async with start(shop.plan()) as running:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(paths, bodies)
        def draw(path: str, data: bytes) -> None:
            drawn.append((path, data))

        drawn: list[tuple[str, bytes]] = []
        draw()
        for path, data in drawn:
            status, message, kind = await send(running, path, data)
            assert status in {200, 400, 401, 404, 413, 415, 422}, (path, data, message)
            assert kind == "application/json"
        await healthy(running)


async def send(running: Running, path: str, data: bytes, *, kind: str = "application/json") -> tuple[int, str, str]:
    """Status, the error's text and the content type."""
    headers = {"Content-Type": kind} if kind else {}
    skip = None if kind else ["Content-Type"]
    async with running.client.post(
        path, data=io.BytesIO(data) if len(data) > 2**20 else data, headers=headers, skip_auto_headers=skip
    ) as response:
        body = await response.json()
        error = body.get("error", "") if isinstance(body, dict) else ""
        return response.status, error["message"] if isinstance(error, dict) else error, response.content_type


async def healthy(running: Running) -> None:
    """The server still answers, and holds nothing of what it refused."""
    status, _, _ = await running.post(INFER, tensor())
    assert status == 200
    ready, _ = await running.get("/v2/health/ready")
    assert ready == 200
    await until(lambda: running.worker.registry.hosted["films"].admission.tokens == 0)
