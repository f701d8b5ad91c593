"""Metrics from a Prometheus: queries against a real one, and what becomes of bad answers."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from phalanx_contract import metrics
from phalanx_operator.observe import promql, signals
from phalanx_operator.observe.prometheus import observe
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.targets import Target
from tests.operator.observe.workers import FakeWorker

BINARY = shutil.which("prometheus")
SPANS = Spans(load_s=10.0, ramps_s=60.0)
POD = Target(namespace="ns", pod="gpus-1", host="10.0.0.1", port=8080, ready=True)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def test_a_query_names_the_live_pods_and_nothing_else():
    text = promql.query(signals.TOKENS, [POD], window_s=60)
    assert text == (
        'sum by (ensemble) (rate(phalanx_offered_tokens_total{pod=~"gpus-1",namespace=~"ns|"}[60s])'
        ' or rate(phalanx_offered_tokens_total{pod="",instance=~"10\\\\.0\\\\.0\\\\.1:8080"}[60s]))'
    )


@asynccontextmanager
async def prometheus(folder: Path, targets: list[str]) -> AsyncIterator[str]:
    """A Prometheus that scrapes `targets` twice a second."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    config = folder / "prometheus.yml"
    listed = ", ".join(f'"{target}"' for target in targets)
    config.write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
        f"scrape_configs: [{{job_name: w, static_configs: [{{targets: [{listed}]}}]}}]\n"
    )
    process = await asyncio.create_subprocess_exec(
        BINARY or "",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.skipif(BINARY is None, reason="no prometheus on PATH (Debian: apt-get install prometheus)")
async def test_a_real_prometheus_tells_the_load_of_live_pods_only(tmp_path, session):
    async with FakeWorker("w-0").serving() as live, FakeWorker("gone").serving() as gone:
        addresses = [f"127.0.0.1:{worker.port}" for worker in (live, gone)]
        async with prometheus(tmp_path, addresses) as url:
            deadline = time.monotonic() + 60
            while True:
                for worker in (live, gone):
                    worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(10)
                    worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="a").observe(0.02)
                    worker.metric(metrics.RAMP_SCORE).labels(ensemble="a", row="0", agrees="true").observe(0.1)
                live.metric(metrics.CAPACITY).labels(ensemble="a", students="2").set(5000)
                seen = await observe(session, url, [live.target], spans=SPANS)
                if not seen.problem and seen.ensembles and seen.ensembles["a"].p99_s is not None:
                    break
                assert time.monotonic() < deadline, seen
                await asyncio.sleep(0.2)
            unknown = await observe(session, url, [POD], spans=SPANS)
    load = seen.ensembles["a"]
    assert seen.workers == 1
    assert abs(seen.at - time.time()) < 30
    assert 0 < load.tokens_per_s < 75, "ten tokens in about 0.2 s, of one worker and not of two"
    assert 0.016 < load.p99_s <= 0.024
    assert load.capacity_tokens_per_s == {2: 5000.0}
    assert load.ramps[0].bounds == metrics.SCORE_BUCKETS
    assert "0 of 1" in unknown.problem


@asynccontextmanager
async def answering(body: str, status: int = 200) -> AsyncIterator[str]:
    async def query(request: web.Request) -> web.Response:
        return web.Response(text=body, status=status)

    app = web.Application()
    app.router.add_post("/api/v1/query", query)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("<html>gateway</html>", 502, "HTTP 502"),
        ('{"status":"error","error":"query timed out"}', 422, "query timed out"),
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', 200, "no query result"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_problem_in_a_sentence(session, body, status, said):
    async with answering(body, status) as url:
        seen = await observe(session, url, [POD], spans=SPANS)
    assert said in seen.problem
    assert not seen.ensembles


async def test_nan_is_unknown(session):
    body = (
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"ensemble":"a"},"value":[1,"NaN"]}]}}'
    )
    async with answering(body) as url:
        seen = await observe(session, url, [POD], spans=SPANS)
    assert seen.problem, "how many workers were seen is NaN too"


async def test_a_server_that_is_down_is_a_problem(session):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        seen = await observe(session, url, [POD], spans=SPANS)
    assert seen.problem.startswith(f"Prometheus at {url}")
