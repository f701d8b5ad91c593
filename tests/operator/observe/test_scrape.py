"""Metrics from the workers themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from phalanx_contract import metrics
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.workers import worker_statuses
from tests.operator.observe.workers import FakeWorker

SPANS = Spans(load_s=30.0)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_two_scrapes_of_two_workers_give_their_common_load(session):
    async with FakeWorker("w-0").serving() as first, FakeWorker("w-1").serving() as second:
        scraper, targets = Scraper(SPANS), [first.target, second.target]
        early = await scraper.observe(session, targets, now=100.0)
        assert "0 of 2" in early.problem, "one scrape gives no rate, and that is no zero load"
        for worker in (first, second):
            worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(500)
            worker.metric(metrics.BUSY_SECONDS).inc(5)
            worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="a").observe(0.02)
        seen = await scraper.observe(session, targets, now=110.0)
    assert (seen.problem, seen.workers, seen.at) == ("", 2, 110.0)
    assert seen.ensembles["a"].tokens_per_s == 100.0
    assert seen.busy_share == 0.5
    assert 0.016 < seen.ensembles["a"].p99_s <= 0.024


async def test_a_worker_that_is_gone_does_not_count_any_more(session):
    async with FakeWorker("w-0").serving() as first, FakeWorker("w-1").serving() as second:
        scraper = Scraper(SPANS)
        for now in (0.0, 10.0):
            await scraper.observe(session, [first.target, second.target], now=now)
            second.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(100)
        seen = await scraper.observe(session, [first.target], now=20.0)
    assert seen.workers == 1
    assert "a" not in seen.ensembles


async def test_load_is_that_of_ready_workers_as_prometheus_is_asked_for_it(session):
    async with FakeWorker("w-0").serving() as ready, FakeWorker("w-1").serving() as starting:
        scraper, targets = Scraper(SPANS), [ready.target, replace(starting.target, ready=False)]
        for now in (0.0, 10.0):
            for worker in (ready, starting):
                worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(100)
                worker.metric(metrics.BUSY_SECONDS).inc(8)
            seen = await scraper.observe(session, targets, now=now)
    assert (seen.workers, seen.ensembles["a"].tokens_per_s, seen.busy_share) == (1, 10.0, 0.8)


async def test_a_worker_that_was_scraped_once_is_missing_and_not_idle(session):
    async with FakeWorker("w-0").serving() as old, FakeWorker("w-1").serving() as new:
        scraper = Scraper(SPANS)
        for now in (0.0, 10.0):
            await scraper.observe(session, [old.target], now=now)
        seen = await scraper.observe(session, [old.target, new.target], now=20.0)
    assert seen.problem.startswith("metrics of 1 of 2 ready workers are there; two readings of each are needed")


async def test_a_restarted_worker_counts_from_zero(session):
    async with FakeWorker("w-0").serving() as worker:
        scraper = Scraper(SPANS)
        worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(1000)
        await scraper.observe(session, [worker.target], now=0.0)
        worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").reset()
        worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="a").inc(50)
        seen = await scraper.observe(session, [worker.target], now=10.0)
    assert seen.ensembles["a"].tokens_per_s == 5.0


async def test_a_worker_that_fails_to_answer_turns_load_into_unknown(session):
    async with FakeWorker("w-0").serving() as worker:
        scraper = Scraper(SPANS)
        for now in (0.0, 10.0):
            await scraper.observe(session, [worker.target], now=now)
        worker.broken = True
        assert (await scraper.observe(session, [worker.target], now=20.0)).at == 10.0, "so it goes stale"
        assert "0 of 1" in (await scraper.observe(session, [worker.target], now=50.0)).problem


async def test_ramp_statistics_count_from_the_start_of_the_worker(session):
    async with FakeWorker("w-0").serving() as worker:
        ramp = worker.metric(metrics.RAMP_SCORE).labels(ensemble="a", row="0", agrees="true")
        for _ in range(900):
            ramp.observe(0.01)
        scraper = Scraper(SPANS)
        for now in (0.0, 10.0):
            seen = await scraper.observe(session, [worker.target], now=now)
    (histogram,) = seen.ensembles["a"].ramps
    assert histogram.agrees[-1] == 900


async def test_reports_that_cannot_be_read_are_left_out(session, caplog):
    async with FakeWorker("good").serving() as good, FakeWorker("bad").serving() as bad:
        good.status = {"plan": "sha256:1", "ready": True, "new_field": 1}
        bad.status = {"ensembles": "none"}
        statuses = await worker_statuses(session, [good.target, bad.target])
    assert statuses.keys() == {"good"}
    assert statuses["good"].plan == "sha256:1"
    assert "worker bad: its report is not understood" in caplog.text
