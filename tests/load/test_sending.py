"""Sending against a real server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from array import array

import pytest
from aiohttp import web

from phalanx_load import (
    Load,
    Phase,
    Record,
    Report,
    Sample,
    Schedule,
    Span,
    Target,
    drive,
    make_report,
    poisson,
    saturate,
)
from phalanx_load.run import Status
from tests.load.server import scores, serving

SAMPLES = (Sample("a", "yes"), Sample("b b", "no"), Sample("c c c", "yes"))


def steady(seconds: float, rate: float, *, seed: int = 0) -> Schedule:
    return poisson([Phase(name="steady", seconds=seconds, rate=rate)], seed=seed)


def load_on(url: str, **options: object) -> Load:
    return Load(target=Target(url=url), samples=SAMPLES, **options)  # type: ignore[arg-type]


def report_of(load: Load, schedule: Schedule, record: Record, *, objective_s: float = 0.1) -> Report:
    return make_report(load, schedule, record, date="2026-01-01T00:00:00Z", objective_s=objective_s)


async def test_every_request_is_sent_once_and_counted_once() -> None:
    async with serving() as server:
        load, schedule = load_on(server.url), steady(0.5, 200)
        record = await drive(load, schedule)
    report = report_of(load, schedule, record)
    assert len(server.asked) == len(schedule) == report.all.answered
    assert report.all.statuses == {"200": len(schedule)}


async def test_a_stall_shows_in_the_latency_of_all_requests_that_were_due_in_it() -> None:
    stall_s, rate = 0.5, 100
    async with serving() as server:
        load, schedule = load_on(server.url), steady(1.5, rate)
        asyncio.get_running_loop().call_later(0.5, server.stall, stall_s)
        record = await drive(load, schedule)
    report = report_of(load, schedule, record)
    assert report.all.latency is not None and report.all.missed is not None
    # A generator that waited for answers would have one slow request, and a p99 as if nothing had been.
    assert report.all.latency.p99_ms > 400
    slow = sum(latency_s > 0.1 for latency_s in record.latency_s)
    assert slow > 0.6 * rate * (stall_s - 0.1)
    assert report.all.missed == slow / len(schedule)


async def test_the_sender_does_not_wait_for_answers() -> None:
    async with serving() as server:
        server.stall(1.0)
        load, schedule = load_on(server.url), steady(0.4, 100)
        record = await drive(load, schedule)
    # A sender that waited would be late by the stall with all but the first.
    assert statistics.median(record.late_s) < 0.2
    assert set(record.status) == {200}
    assert min(record.latency_s) > 0.1


async def test_a_blocked_generator_says_how_late_it_was() -> None:
    async with serving() as server:
        load, schedule = load_on(server.url), steady(0.5, 200)
        # Nothing of this event loop runs meanwhile, the sender included.
        asyncio.get_running_loop().call_later(0.2, time.sleep, 0.15)
        record = await drive(load, schedule)
    report = report_of(load, schedule, record)
    assert report.all.late is not None and report.all.latency is not None
    assert 100 < report.all.late.max_ms < 5000
    assert report.all.latency.max_ms > report.all.late.max_ms
    assert any("fell behind its schedule" in warning for warning in report.warnings)


async def test_the_same_seed_sends_the_same_texts_in_the_same_order() -> None:
    async with serving() as one, serving() as other:
        for server, seed in ((one, 7), (other, 7)):
            await drive(load_on(server.url, seed=seed), steady(0.2, 100, seed=seed))
        assert one.texts == other.texts
        assert len(set(map(str, one.texts))) == len(SAMPLES)


async def test_answers_say_students_and_exits_and_are_scored() -> None:
    turn = iter(range(10_000))

    async def behave(_: web.Request) -> web.StreamResponse:
        number = next(turn)
        return scores(label="yes", students=1 + number % 4, exit_row="0" if number % 2 else "final")

    async with serving(behave) as server:
        load, schedule = load_on(server.url), steady(0.5, 200)
        report = report_of(load, schedule, await drive(load, schedule))
    students, accuracy = report.all.students, report.all.accuracy
    assert students is not None and accuracy is not None
    assert (students.least, students.most, sum(students.answers.values())) == (1, 4, len(schedule))
    assert report.all.early_exits == pytest.approx(0.5, abs=0.02)
    right_share = sum(text in ("a", "c c c") for text in server.texts) / len(schedule)
    assert accuracy.all.value == pytest.approx(right_share)
    assert sum(share.scored for share in accuracy.by_students.values()) == len(schedule)


async def test_refusals_and_errors_are_told_apart_and_make_no_percentile_better() -> None:
    turn = iter(range(10_000))

    async def behave(_: web.Request) -> web.StreamResponse:
        number = next(turn) % 4
        if number == 0:
            return web.json_response({"error": "overloaded"}, status=429)
        if number == 1:
            return web.json_response({"error": "broken"}, status=500)
        await asyncio.sleep(0.05)
        return scores()

    async with serving(behave) as server:
        load, schedule = load_on(server.url), steady(0.5, 100)
        report = report_of(load, schedule, await drive(load, schedule))
    count = len(schedule)
    assert report.all.refused == pytest.approx(count / 4, abs=1)
    assert report.all.lost == pytest.approx(count / 4, abs=1)
    assert report.all.answered + report.all.refused + report.all.lost == count
    assert report.all.latency is not None and report.all.latency.p50_ms >= 50
    assert [warning for warning in report.warnings if "lost" in warning] == [
        f"{report.all.lost} requests lost: status 500: broken"
    ]


async def test_a_request_without_an_answer_is_given_up_and_counts_its_wait() -> None:
    async with serving() as server:
        server.stall(30)
        load, schedule = load_on(server.url, timeout_s=0.3), steady(0.2, 50)
        record = await drive(load, schedule)
    report = report_of(load, schedule, record)
    assert set(record.status) == {Status.TIMED_OUT}
    assert report.all.statuses == {"timed out": len(schedule)}
    assert report.all.latency is not None and report.all.latency.p50_ms >= 300
    assert any("no answer within 0.3 s" in warning for warning in report.warnings)


async def test_few_connections_make_requests_wait_and_the_report_say_so() -> None:
    async with serving() as server:
        server.stall(0.3)
        load, schedule = load_on(server.url, connections=2), steady(0.3, 50)
        record = await drive(load, schedule)
    assert set(record.status) == {200}
    assert record.peak_connections == 2
    assert any("all 2 connections were in use" in warning for warning in report_of(load, schedule, record).warnings)


async def test_a_connection_that_the_server_closed_meanwhile_costs_no_request() -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        response = scores()
        response.force_close()
        return response

    async with serving(behave) as server:
        record = await drive(load_on(server.url), steady(0.3, 100))
    assert set(record.status) == {200}


async def test_a_request_on_a_connection_that_went_stale_is_sent_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    writers: list[asyncio.StreamWriter] = []

    async def answer_once_then_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"}")
        writer.write(answer)
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(answer_once_then_hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        load, schedule = load_on(f"http://127.0.0.1:{port}"), steady(0.4, 50)
        record = await drive(load, schedule)
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    assert set(record.status) == {200}
    assert len(writers) > 1
    assert record.resent > 0
    assert any(
        f"{record.resent} requests were sent twice" in warning for warning in report_of(load, schedule, record).warnings
    )


@pytest.mark.parametrize("body", [b'[{"score":1.0,"label":"\xff"}]', b"[]", b"not JSON"])
async def test_an_answer_that_cannot_be_read_is_a_wrong_one(body: bytes) -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"X-Phalanx-Students": "123456789"})

    async with serving(behave) as server:
        record = await asyncio.wait_for(drive(load_on(server.url), steady(0.2, 50)), 5)
    assert set(record.status) == {200}
    assert set(record.correct) == {0}
    assert set(record.students) == {-1}


async def test_a_server_that_dies_loses_requests_with_a_reason() -> None:
    async with serving() as server:
        load, schedule = load_on(server.url), steady(0.6, 100)
        half_way = asyncio.Event()
        run = asyncio.create_task(drive(load, schedule, watch=lambda *_: half_way.set()))
        await half_way.wait()
    record = await run
    report = report_of(load, schedule, record)
    assert report.all.answered > 0
    assert report.all.lost > 0
    assert report.all.statuses["broken"] == report.all.lost
    # A refused connection takes a millisecond: no request got an answer so soon.
    broken_s = [record.latency_s[index] for index in range(len(record)) if record.status[index] == Status.BROKEN]
    assert min(broken_s) >= load.timeout_s
    assert any(f"{report.all.lost} requests broke" in warning for warning in report.warnings)
    assert any("cannot connect: connection refused" in warning for warning in report.warnings)


async def test_a_stop_ends_the_run_with_what_was_measured() -> None:
    async with serving() as server:
        load, schedule, stop = load_on(server.url), steady(60, 100), asyncio.Event()

        def watch(_: Record, index: int, __: int) -> None:
            if index == 30:
                stop.set()

        record = await asyncio.wait_for(drive(load, schedule, watch=watch, stop=stop), 20)
    report = report_of(load, schedule, record)
    assert report.interrupted
    assert report.all.seconds < 20
    assert report.all.offered_per_s == pytest.approx(100, rel=0.7)
    assert 0 < report.all.answered == report.all.offered < len(schedule)
    assert report.warnings[-1] == "interrupted: these are the figures up to then"


async def test_a_stall_shows_although_ctrl_c_ends_it() -> None:
    async with serving() as server:
        load, schedule, stop = load_on(server.url), steady(60, 100), asyncio.Event()

        def watch(_: Record, index: int, __: int) -> None:
            if index == 30:
                server.stall(30)
                asyncio.get_running_loop().call_later(0.5, stop.set)

        record = await asyncio.wait_for(drive(load, schedule, watch=watch, stop=stop), 20)
    report = report_of(load, schedule, record)
    still_open = report.all.statuses["unanswered"]
    assert report.all.latency is not None and report.all.missed is not None
    # They have waited from when they were due to the end, answers' last second included.
    assert report.all.latency.max_ms > 1000
    assert report.all.missed >= still_open / report.all.offered > 0
    assert any(f"{still_open} requests were still unanswered" in warning for warning in report.warnings)


async def test_a_request_is_given_up_at_its_limit() -> None:
    async with serving() as server:
        server.stall(30)
        schedule = Schedule(array("d", [0.01, 0.11, 0.21, 0.31, 0.41]), (Span(name="x", start_s=0.0, end_s=1.0),))
        record = await drive(load_on(server.url, timeout_s=0.1), schedule)
    assert set(record.status) == {Status.TIMED_OUT}
    # Who looks every 0.1 s finds them 0.09 s late.
    assert 0.1 <= min(record.latency_s) < 0.15


async def test_saturation_keeps_so_many_requests_open_and_sends_all_samples_in_order() -> None:
    open_now, most = 0, 0

    async def behave(_: web.Request) -> web.StreamResponse:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.005)
        open_now -= 1
        return scores()

    async with serving(behave) as server:
        seen: list[tuple[int, int]] = []
        done = await saturate(
            load_on(server.url), requests=60, in_flight=5, watch=lambda over, total: seen.append((over, total))
        )
    assert most == 5
    assert sorted(map(str, server.texts)) == sorted(["a", "b b", "c c c"] * 20)
    assert list(done.record.correct) == [1, 0, 1] * 20
    assert seen[-1] == (60, 60)
    assert done.answered_per_s == pytest.approx(60 / done.seconds)
