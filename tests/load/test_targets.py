"""What a target is asked, and what is refused before a run."""

from __future__ import annotations

import socket

import pytest
from aiohttp import web

from phalanx_load import Load, LoadError, Sample, Target, probe, saturate
from tests.load.server import right, serving

SAMPLES = (Sample("a", "yes"), Sample("b b", "no"), Sample("c c c", "yes"))


def test_a_base_path_is_quoted() -> None:
    request = Target(url="http://host/mödels/").request(Sample("a"))
    assert request.startswith(b"POST /m%C3%B6dels/predict HTTP/1.1\r\n")


async def test_a_name_that_no_host_can_have_is_said_before_the_run() -> None:
    with pytest.raises(LoadError, match="cannot connect: no host can have this name"):
        await probe(Target(url=f"http://{'a' * 70}.example"), Sample("a"), timeout_s=2.0)


@pytest.mark.parametrize(
    ("protocol", "model", "path", "body"),
    [
        ("predict", "", "/predict", {"inputs": "héllo"}),
        ("embed", "films", "/embed", {"inputs": "héllo"}),
        (
            "infer",
            "films:acme",
            "/v2/models/films:acme/infer",
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["héllo"]}]},
        ),
    ],
)
async def test_each_protocol_asks_in_its_own_way(protocol: str, model: str, path: str, body: object) -> None:
    async with serving() as server:
        target = Target(url=server.url, protocol=protocol, model=model, headers={"Authorization": "Bearer key"})
        await probe(target, Sample("héllo"))
    ((asked_path, headers, asked_body),) = server.asked
    assert (asked_path, asked_body) == (path, body)
    assert headers["Authorization"] == "Bearer key"
    assert headers.get("X-Phalanx-Model") == (model if protocol == "embed" else None)


async def test_the_label_of_an_infer_answer_is_its_label_output() -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        outputs = [{"name": "scores", "data": [0.1, 0.9]}, {"name": "label", "data": ["no"]}]
        return web.json_response({"outputs": outputs})

    async with serving(behave) as server:
        load = Load(target=Target(url=server.url, protocol="infer", model="m"), samples=SAMPLES)
        done = await saturate(load, requests=3, in_flight=1)
    assert list(done.record.correct) == [0, 1, 0]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_server_that_is_not_there_is_said_before_the_run() -> None:
    with pytest.raises(LoadError, match=r"cannot connect: connection refused; is the server running there\?"):
        await probe(Target(url=f"http://127.0.0.1:{free_port()}"), Sample("a"))


async def test_an_unknown_model_is_said_in_the_servers_words() -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "no model 'x' is served here"}, status=404)

    async with serving(behave) as server:
        with pytest.raises(LoadError, match="refuses a single text with status 404: no model 'x' is served here"):
            await probe(Target(url=server.url), Sample("a"))


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("predict", "<html>Welcome</html>"),
        ("predict", "[]"),
        ("predict", '{"outputs": [{"name": "label", "data": ["yes"]}]}'),
        ("infer", '[{"score": 1.0, "label": "yes"}]'),
        ("infer", '{"outputs": []}'),
        ("embed", '[{"score": 1.0, "label": "yes"}]'),
        ("embed", "[[]]"),
        ("embed", '[["\udcff"]]'),
    ],
)
async def test_an_answer_in_another_form_is_said_before_the_run(protocol: str, body: str) -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body.encode("utf-8", "surrogateescape"))

    async with serving(behave) as server:
        target = Target(url=server.url, protocol=protocol, model="m")
        with pytest.raises(LoadError, match=f"answers 200, but not as {target.path} does: "):
            await probe(target, Sample("a"))


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("infer", {"outputs": [{"name": "scores", "shape": [1, 2], "datatype": "FP32", "data": [[0.1, 0.9]]}]}),
        ("infer", {"outputs": [{"name": "kept", "datatype": "BOOL", "data": [True]}], "model_name": "m"}),
        ("embed", [[1, 0.5]]),
        ("predict", [{"score": 1, "label": "yes", "rank": 1}]),
    ],
)
async def test_what_another_server_adds_to_an_answer_is_no_matter(protocol: str, answer: object) -> None:
    async with serving(lambda _: _answered(answer)) as server:
        assert (await probe(Target(url=server.url, protocol=protocol, model="m"), Sample("a"))).status == 200


async def _answered(answer: object) -> web.StreamResponse:
    return web.json_response(answer)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://other/base/predict", "it redirects to https://other/base; give that address"),
        ("https://other/login", "it redirects to https://other/login; give that address"),
        ("/v2/predict", r"it redirects to http://127.0.0.1:\d+/v2; give that address"),
    ],
)
async def test_a_redirect_names_the_address_to_give(location: str, says: str) -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    async with serving(behave) as server:
        with pytest.raises(LoadError, match=says):
            await probe(Target(url=server.url), Sample("a"))


def test_a_password_in_an_address_is_in_no_message() -> None:
    for url in ("http://user:secret@host", "http://user:secret@host:99999"):
        with pytest.raises(LoadError) as error:
            Target(url=url)
        assert "secret" not in str(error.value)


async def test_a_server_that_does_not_answer_is_said_before_the_run() -> None:
    async with serving(right) as server:
        server.stall(30)
        with pytest.raises(LoadError, match=r"no answer within 0.2 s"):
            await probe(Target(url=server.url), Sample("a"), timeout_s=0.2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "127.0.0.1:8080"}, "not the address of a server"),
        ({"url": "ftp://host"}, "not the address of a server"),
        ({"url": "http://host:99999"}, "Port out of range"),
        ({"url": "http://user:secret@host"}, "has a name or a password in it"),
        ({"url": "http://host?x=1"}, r"http://host\?x=1: only the part before \? and # is sent"),
        ({"url": "http://host/#top"}, r"only the part before \? and # is sent"),
        ({"url": "http://host", "protocol": "grpc"}, "no protocol 'grpc'; there is predict, infer, embed"),
        ({"url": "http://host", "protocol": "infer"}, "give one with --model"),
        ({"url": "http://host", "model": "модель"}, "'model: модель' cannot be sent as a header"),
        ({"url": "http://host", "headers": {"x": "a\r\nb: c"}}, "cannot be sent as a header"),
    ],
)
def test_a_target_that_cannot_be_is_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(LoadError, match=says):
        Target(**options)  # type: ignore[arg-type]
