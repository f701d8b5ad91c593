"""Observations of a real Prometheus that scrapes workers on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from phalanx_contract import metrics
from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.promapi import Endpoint
from phalanx_operator.observe.prometheus import observe
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.targets import Target
from tests.e2e.waiting import eventually
from tests.operator.observe.servers import RealPrometheus, needs_prometheus
from tests.operator.observe.workers import FakeWorker

pytestmark = needs_prometheus
SPANS = Spans(load_s=10.0, ramps_s=60.0)
NOBODY = Target(namespace="default", pod="nobody", host="192.0.2.1", port=8080, ready=True)

Observe = Callable[..., Awaitable[Observation]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def workers(stack: AsyncExitStack) -> list[FakeWorker]:
    """Three workers that are always busy: 20 texts a second of 10 tokens, each answered in 20 ms."""
    found = [await stack.enter_async_context(FakeWorker(f"w-{index}").serving()) for index in range(3)]

    async def work() -> None:
        while True:
            for worker in found:
                worker.metric(metrics.REQUESTS).labels(ensemble="a", code="200").inc()
                worker.metric(metrics.REQUESTS).labels(ensemble="a", code="429").inc()
                worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(10)
                worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="a").observe(0.02)
                worker.metric(metrics.RAMP_SCORE).labels(ensemble="a", row="0", agrees="true").observe(0.1)
                worker.metric(metrics.CAPACITY).labels(ensemble="a", students="2").set(5000)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(work())
    stack.callback(task.cancel)
    return found


def labelled(worker: FakeWorker, **labels: str) -> tuple[str, dict[str, str]]:
    """A target as Kubernetes discovery labels it."""
    return worker.target.address, {"namespace": "default", "pod": worker.name, **labels}


def plain(worker: FakeWorker) -> tuple[str, dict[str, str]]:
    """A target as a plain list gives it."""
    return worker.target.address, {}


async def settled(url: str, *targets: Target) -> Observation:
    """The first observation that has it all."""
    async with aiohttp.ClientSession() as session:

        async def probe() -> Observation:
            seen = await observe(session, Endpoint(url=url), targets, spans=SPANS)
            assert not seen.problem, seen
            assert seen.workers == len(targets), seen
            assert seen.ensembles["a"].p99_s is not None, seen
            return seen

        return await eventually(probe, within_s=60)


async def test_it_tells_the_load_of_live_pods_only(stack, workers, tmp_path):
    live, gone, _ = workers
    server = RealPrometheus(tmp_path)
    server.scrape({"pods": [labelled(live), labelled(gone)]})
    await stack.enter_async_context(server.running())
    seen = await settled(server.url, live.target)
    load = seen.ensembles["a"]
    assert seen.at is not None
    assert abs(seen.at - time.time()) < 30
    assert load.tokens_per_s is not None
    assert load.requests_per_s is not None
    assert 0 < load.tokens_per_s < 300, "about 200 of one worker, and not 400 of both"
    assert load.requests_per_s == pytest.approx(load.tokens_per_s / 5, rel=0.4), "both codes count"
    assert load.p99_s is not None
    assert 0.016 < load.p99_s <= 0.024
    assert load.capacity_tokens_per_s == {2: 5000.0}
    assert load.ramps[0].bounds == metrics.SCORE_BUCKETS
    async with aiohttp.ClientSession() as session:
        unknown = await observe(session, Endpoint(url=server.url), [NOBODY], spans=SPANS)
    assert "0 of 1" in unknown.problem


async def test_what_is_scraped_twice_counts_once(stack, workers, tmp_path):
    """By two jobs, by a pair of Prometheus replicas, by an address beside the pod's name: in any mixture."""
    twice, pair, both = workers
    server = RealPrometheus(tmp_path)
    server.scrape(
        {
            "podmonitor": [
                labelled(twice), labelled(both),
                labelled(pair, prometheus_replica="0"), labelled(pair, prometheus_replica="1"),
            ],
            "annotations": [labelled(twice)],
            "static": [plain(both)],
        }
    )  # fmt: skip
    await stack.enter_async_context(server.running())
    seen = await settled(server.url, *(worker.target for worker in workers))
    load = seen.ensembles["a"]
    assert load.capacity_tokens_per_s == {2: 15000.0}
    assert load.tokens_per_s is not None
    assert load.tokens_per_s < 700, "about 600 of three workers, not 1200 of six series"


async def test_workers_with_and_without_the_label_pod_add_up(stack, workers, tmp_path):
    first, second, third = workers
    server = RealPrometheus(tmp_path)
    server.scrape({"podmonitor": [labelled(first)], "static": [plain(second), plain(third)]})
    await stack.enter_async_context(server.running())
    seen = await settled(server.url, *(worker.target for worker in workers))
    assert seen.ensembles["a"].capacity_tokens_per_s == {2: 15000.0}


async def test_a_worker_without_a_rate_yet_is_missing_and_not_idle(stack, workers, tmp_path):
    """Prometheus has a sample of it, but no two: its capacity would count, its load would not."""
    old, other, new = workers
    server = RealPrometheus(tmp_path)
    server.scrape({"pods": [labelled(old), labelled(other)], "slow": []})
    config = server.folder / "prometheus.yml"
    slow = config.read_text().replace("job_name: slow", "job_name: slow\n  scrape_interval: 8s")
    config.write_text(slow.replace("static_configs: []", f"static_configs: [{{targets: ['{new.target.address}']}}]"))
    await stack.enter_async_context(server.running())
    await settled(server.url, old.target, other.target)
    async with aiohttp.ClientSession() as session:

        async def scraped() -> None:
            query = {"query": f'phalanx_capacity_tokens_per_second{{instance="{new.target.address}"}}'}
            async with session.get(f"{server.url}/api/v1/query", params=query) as answer:
                assert (await answer.json())["data"]["result"]

        await eventually(scraped, within_s=60, every_s=0.1)
        targets = [worker.target for worker in workers]
        seen = await observe(session, Endpoint(url=server.url), targets, spans=Spans(load_s=5.0))
    assert seen.workers == 2
    assert "metrics of 2 of 3 ready workers are there" in seen.problem
