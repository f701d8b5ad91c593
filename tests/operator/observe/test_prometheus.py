"""Metrics from a Prometheus: what becomes of answers that are bad, partial, late or for somebody else."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from phalanx_contract.conditions import Reason
from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.promapi import Endpoint
from phalanx_operator.observe.prometheus import observe
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.targets import Target
from tests.operator.observe.servers import Certificates, Handler, answering, serving, vector

SPANS = Spans(load_s=10.0, ramps_s=60.0)
POD = Target(namespace="ns", pod="gpus-1", host="10.0.0.1", port=8080, ready=True)
TOKEN = "s3cr3t-t0ken"
SIGHTING = ({"pod": "gpus-1", "namespace": "ns"}, 100.0)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "pki")


async def seen_by(session, handler: Handler, **endpoint) -> Observation:
    async with serving(handler) as url:
        return await observe(session, Endpoint(url=url, **endpoint), [POD], spans=SPANS)


def depending(on: str, body: str, otherwise: str = vector(SIGHTING)) -> Handler:
    """`body` for the queries that name the series `on`, `otherwise` for all others."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body if on in str((await request.post())["query"]) else otherwise)

    return handler


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("<html>gateway</html>", 502, "HTTP 502"),
        ('{"status":"error","error":"query timed out"}', 422, "query timed out"),
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', 200, "no query result"),
        (vector(({}, "many")), 200, "no query result"),
        ("\ufffe", 200, "no query result"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_problem_in_a_sentence(session, body, status, said):
    seen = await seen_by(session, answering(body, status))
    assert said in seen.problem
    assert (seen.fault, seen.ensembles) == (Reason.METRICS_UNREACHABLE, {})


async def test_a_worker_whose_time_is_nan_was_not_seen(session):
    seen = await seen_by(session, answering(vector(({"pod": "gpus-1"}, "NaN"))))
    assert seen.problem.startswith("metrics of 0 of 1 ready workers are there; Prometheus needs two samples")
    assert seen.fault is Reason.METRICS_MISSING


async def test_nan_is_unknown(session):
    load = vector(({"pod": "gpus-1", "ensemble": "a"}, 2.0))
    seen = await seen_by(session, depending("phalanx_offered_tokens", vector(({"ensemble": "a"}, "NaN")), load))
    assert (seen.problem, seen.ensembles["a"].requests_per_s, seen.ensembles["a"].tokens_per_s) == ("", 2.0, None)


async def test_a_server_that_is_down_is_a_problem(session):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        seen = await observe(session, Endpoint(url=url), [POD], spans=SPANS)
    assert seen.problem.startswith(f"Prometheus at {url}")
    assert seen.fault is Reason.METRICS_UNREACHABLE


async def test_a_server_that_does_not_answer_costs_the_timeout(session):
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    seen = await seen_by(session, never, timeout_s=0.2)
    assert "no answer within 0.2 s" in seen.problem
    assert seen.fault is Reason.METRICS_UNREACHABLE


PARTIAL = "rpc error: store at 10.0.0.9:10901 is unreachable"


@pytest.mark.parametrize(
    "series", ["phalanx_engine_busy_seconds", "phalanx_offered_tokens", "phalanx_request_seconds_bucket"]
)
async def test_a_partial_result_is_not_taken_for_the_load(session, series):
    body = vector(SIGHTING, warnings=[PARTIAL])
    seen = await seen_by(session, depending(series, body))
    assert seen.problem.endswith(f"the answer is not complete: {PARTIAL}")
    assert (seen.fault, seen.ensembles) == (Reason.METRICS_INCOMPLETE, {})


async def test_partial_ramp_statistics_spoil_nothing_but_themselves(session):
    load = vector(({"ensemble": "a", "pod": "gpus-1"}, 3.0))
    body = vector(warnings=[PARTIAL])
    seen = await seen_by(session, depending("phalanx_ramp_score", body, load))
    assert (seen.problem, seen.ensembles["a"].tokens_per_s) == ("", 3.0)
    assert PARTIAL in seen.ramps_problem


async def test_remarks_on_a_query_are_no_warnings(session):
    remark = 'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count: "x"'
    seen = await seen_by(session, answering(vector(({"pod": "gpus-1", "ensemble": "a"}, 1.0), warnings=[remark])))
    assert seen.problem == ""


async def test_thanos_is_asked_for_all_or_nothing_and_mimir_told_the_tenant(session):
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((dict(await request.post()), dict(request.headers)))
        return web.Response(text=vector())

    await seen_by(session, handler, org_id="team-a", timeout_s=7)
    form, headers = asked[0]
    assert (form["partial_response"], form["timeout"]) == ("false", "7")
    assert headers["X-Scope-OrgID"] == "team-a"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("status", "credentials", "said"),
    [
        (401, "key token of Secret prom", "refuses the token in key token of Secret prom; put a valid one there"),
        (403, "key token of Secret prom", "the token in key token of Secret prom may not query"),
        (401, "", "name it in spec.metrics.prometheus.authorization.credentials"),
    ],
)
async def test_a_refusal_names_secret_key_and_next_step(session, status, credentials, said):
    token = TOKEN if credentials else ""
    seen = await seen_by(session, answering("no", status), token=token, credentials=credentials)
    assert f"HTTP {status}" in seen.problem
    assert said in seen.problem
    assert seen.fault is Reason.METRICS_UNAUTHORIZED


async def test_a_redirect_takes_the_token_nowhere(session):
    visits = []

    async def elsewhere(request: web.Request) -> web.Response:
        visits.append(dict(request.headers))
        return web.Response(text=vector(SIGHTING))

    async with serving(elsewhere) as other:
        target = f"{other}/api/v1/query?next={TOKEN}"
        seen = await seen_by(session, answering("", 307, Location=target), token=TOKEN, credentials="key a of Secret b")
    assert visits == []
    assert "HTTP 307 redirects to http://127.0.0.1, which is not followed" in seen.problem
    assert TOKEN not in seen.problem
    assert seen.fault is Reason.METRICS_UNREACHABLE


@pytest.mark.parametrize(
    "handler",
    [
        answering(f'{{"status":"error","error":"bad token {TOKEN}\\nnext line"}}', 400),
        answering(vector(SIGHTING, warnings=[f"Bearer {TOKEN} expires soon"])),
        answering(TOKEN, 500),
    ],
)
async def test_a_server_that_repeats_the_token_does_not_get_it_into_the_problem(session, handler, caplog):
    caplog.set_level("DEBUG")
    seen = await seen_by(session, handler, token=TOKEN, credentials="key token of Secret prom")
    assert seen.problem
    assert TOKEN not in seen.problem + caplog.text
    assert "\n" not in seen.problem
    assert TOKEN not in repr(Endpoint(url="https://p", token=TOKEN))


async def test_only_the_certificate_authority_that_was_named_is_trusted(session, certificates, tmp_path: Path):
    other = ssl.create_default_context(cadata=Certificates(tmp_path / "other").ca)
    async with serving(answering(vector(SIGHTING)), tls=certificates.of_server) as url:
        trusted = await observe(session, Endpoint(url=url, tls=certificates.of_client), [POD], spans=SPANS)
        for tls in (True, other):
            refused = await observe(session, Endpoint(url=url, tls=tls), [POD], spans=SPANS)
            assert "its certificate is not trusted" in refused.problem
            assert "spec.metrics.prometheus.tlsConfig.ca" in refused.problem
            assert refused.fault is Reason.METRICS_UNAUTHORIZED
    assert trusted.problem == ""


async def test_a_certificate_for_another_host_asks_for_the_server_name(session, certificates):
    tls = certificates.of_client
    async with serving(answering(vector(SIGHTING)), tls=certificates.of_server, host="127.0.0.2") as url:
        wrong = await observe(session, Endpoint(url=url, tls=tls), [POD], spans=SPANS)
        right = await observe(session, Endpoint(url=url, tls=tls, server_name="localhost"), [POD], spans=SPANS)
    assert "its certificate is for another host" in wrong.problem
    assert "set spec.metrics.prometheus.tlsConfig.serverName" in wrong.problem
    assert right.problem == ""


async def test_https_to_a_plain_port_says_so(session):
    async with serving(answering(vector(SIGHTING))) as url:
        seen = await observe(session, Endpoint(url=url.replace("http:", "https:")), [POD], spans=SPANS)
    assert "no TLS connection" in seen.problem
    assert "check the scheme and port" in seen.problem
