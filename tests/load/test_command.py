"""`phalanx bench load` as a process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from phalanx_cli.load_options import Arrivals, schedule_of
from tests.load.server import scores, serving
from tests.load.test_targets import free_port

ROWS = '{"text": "a", "label": "yes"}\n{"text": "b", "label": "no"}\n'


async def start(*options: str, before: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *before, sys.executable, "-m", "phalanx_cli", "bench", "load", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def finish(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, errors = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), errors.decode()


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text(ROWS)
    return str(path)


async def test_a_run_ends_with_a_table_figures_and_a_picture(rows: str, tmp_path: Path) -> None:
    figures, picture = tmp_path / "load.json", tmp_path / "load.png"
    async with serving() as server:
        process = await start(
            server.url, "--texts", rows, "--label-column", "label", "--rate", "50", "--burst-rate", "200",
            "--calm-seconds", "0.4", "--burst-seconds", "0.3", "--seconds", "0.7", "--objective", "0.2",
            "--json", str(figures), "--plot", str(picture),
        )  # fmt: skip
        code, out, errors = await finish(process)
    assert (code, errors) == (0, "")
    assert all(word in out for word in ("calm", "burst", "all", "p99", "right"))
    report = json.loads(figures.read_text())
    assert report["all"]["answered"] == report["all"]["offered"] > 0
    assert 0.2 < report["all"]["accuracy"]["all"]["right"] / report["all"]["accuracy"]["all"]["scored"] < 0.8
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_a_trace_is_replayed_and_bounded(rows: str, tmp_path: Path) -> None:
    trace, figures = tmp_path / "trace.csv", tmp_path / "load.json"
    trace.write_text("time,count\n2026-01-01T00:00:00,40\n2026-01-01T00:01:00,20\n")
    async with serving() as server:
        process = await start(
            server.url, "--texts", rows, "--trace", str(trace), "--trace-speed", "200", "--requests", "50",
            "--protocol", "embed", "--json", str(figures),
        )  # fmt: skip
        code, _, errors = await finish(process)
    assert (code, errors) == (0, "")
    assert json.loads(figures.read_text())["all"]["offered"] == 50
    # One more than the trace's: the look before the run whether the server answers.
    assert len(server.asked) == 51


@pytest.mark.parametrize(
    ("bounds", "sent"), [({"seconds": 60.0}, 1000), ({"requests": 7}, 7), ({"seconds": 60.0, "requests": 7}, 7)]
)
def test_the_bounds_of_a_run_hold_for_what_is_drawn_of_a_trace_too(
    bounds: dict[str, Any], sent: int, tmp_path: Path
) -> None:
    # As a whole it is more than a run may have.
    (trace := tmp_path / "week.csv").write_text("".join(f"{3600 * hour},60000\n" for hour in range(168)), "utf-8-sig")
    options: dict[str, Any] = {"rate": None, "seconds": None, "requests": None, "burst_rate": None, **bounds}
    arrivals = Arrivals(**options, burst_seconds=5, calm_seconds=5, trace=trace, trace_speed=1, trace_density=1)
    assert len(schedule_of(arrivals, seed=0)) == pytest.approx(sent, abs=0 if sent == 7 else 5 * sent**0.5)


async def test_ctrl_c_ends_it_with_what_was_measured(rows: str, tmp_path: Path) -> None:
    figures, enough = tmp_path / "load.json", asyncio.Event()
    count = 0

    async def behave(_: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 20:
            enough.set()
        return scores()

    async with serving(behave) as server:
        process = await start(server.url, "--texts", rows, "--rate", "100", "--json", str(figures))
        await asyncio.wait_for(enough.wait(), 20)
        process.send_signal(signal.SIGINT)
        code, out, errors = await finish(process)
    assert code == 130
    assert "interrupted" in out
    assert "Traceback" not in errors
    assert json.loads(figures.read_text())["interrupted"]


async def test_the_generators_own_limit_of_files_loses_no_request(rows: str, tmp_path: Path) -> None:
    figures, few = tmp_path / "load.json", ("sh", "-c", 'ulimit -n 96; exec "$@"', "sh")

    async def behave(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return scores()

    async with serving(behave) as server:
        options = ("--texts", rows, "--rate", "400", "--seconds", "0.7", "--json", str(figures))
        code, out, errors = await finish(await start(server.url, *options, before=few))
    assert (code, errors) == (0, "")
    assert "leaves room for 32 connections, not 1024" in out
    assert "all 32 connections were in use at times" in out
    report = json.loads(figures.read_text())
    assert report["all"]["answered"] == report["all"]["offered"] > 100


async def test_why_requests_were_lost_is_said_in_the_servers_words_as_they_are(rows: str) -> None:
    count = 0

    async def behave(_: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        # The first is the look whether the server answers.
        return scores() if count == 1 else web.json_response({"error": "no [/] model\x1b[2J [bold]"}, status=503)

    async with serving(behave) as server:
        code, out, errors = await finish(
            await start(server.url, "--texts", rows, "--rate", "50", "--seconds", "0.3", "--requests", "4")
        )
    assert (code, errors) == (0, "")
    assert "4 requests lost: status 503: no [/] model\N{REPLACEMENT CHARACTER}[2J [bold]" in out


@pytest.mark.parametrize("option", ["--json", "--plot"])
async def test_a_file_that_cannot_be_written_is_said_before_the_run(option: str, rows: str, tmp_path: Path) -> None:
    (path := tmp_path / "taken.png").symlink_to(tmp_path / "nowhere" / "x")
    async with serving() as server:
        code, _, errors = await finish(await start(server.url, "--texts", rows, "--rate", "5", option, str(path)))
    assert code == 1
    assert f"{option} {path}: No such file or directory" in " ".join(errors.split())
    assert server.asked == []


async def test_a_run_that_is_refused_leaves_files_as_they_were(rows: str, tmp_path: Path) -> None:
    (figures := tmp_path / "load.json").write_text("of another run")
    picture = tmp_path / "load.png"
    options = ("--texts", rows, "--rate", "5", "--json", str(figures), "--plot", str(picture))
    code, _, _ = await finish(await start(f"http://127.0.0.1:{free_port()}", *options))
    assert code == 1
    assert figures.read_text() == "of another run"
    assert not picture.exists()


async def test_a_file_that_can_no_longer_be_written_after_the_run_is_said_in_a_sentence(
    rows: str, tmp_path: Path
) -> None:
    (folder := tmp_path / "figures").mkdir()

    async def behave(_: web.Request) -> web.StreamResponse:
        if folder.exists():
            folder.rmdir()
        return scores()

    async with serving(behave) as server:
        options = ("--texts", rows, "--rate", "50", "--seconds", "0.3", "--json", str(folder / "load.json"))
        code, out, errors = await finish(await start(server.url, *options))
    assert code == 1
    assert "p99" in out
    assert "No such file or directory" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give either --rate or --trace"),
        (("--rate", "5", "--trace", "x"), "give either --rate or --trace"),
        (("--trace", "missing.csv"), "missing.csv: No such file"),
        (("--trace", "{trace}"), "line 2: 'soon' is not a time in seconds"),
        (("--rate", "5", "--texts", "nothing.jsonl"), "nothing.jsonl: No such file"),
        (("--rate", "5", "--texts", "{trace}", "--label-column", "label"), "has no columns"),
        (("--rate", "5", "--label-column", "topic"), "no column 'topic'"),
        (("--rate", "5", "--protocol", "infer"), "give one with --model"),
        (("--rate", "5", "--protocol", "embed", "--label-column", "label"), "of --protocol embed have no labels"),
        (("--rate", "5", "--burst-seconds", "3"), "--burst-seconds goes with --burst-rate"),
        (("--rate", "5", "--trace-speed", "3"), "--trace-speed goes with --trace"),
        (("--rate", "5", "--timeout", "nan"), "'nan' is not a valid float"),
        (("--rate", "5", "--json", ""), "--json .: is a folder; name a file"),
        (("--rate", "5", "--header", "x"), "--header x: write NAME:VALUE"),
        (("--rate", "5", "--plot", "x.jpg"), "has to end in .png, .svg or .pdf"),
        (("--rate", "5", "--json", "nowhere/load.json"), "--json nowhere/load.json: there is no folder nowhere"),
        (("--rate", "5", "--model", "модель"), "cannot be sent as a header"),
        (("--rate", "5"), "cannot connect: connection refused; is the server running there?"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    options: tuple[str, ...], says: str, rows: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("0.5\nsoon\n")
    filled = [option.replace("{trace}", str(trace)) for option in options]
    code, _, errors = await finish(await start(f"http://127.0.0.1:{free_port()}", "--texts", rows, *filled))
    assert code in (1, 2)  # 2: click's own, with the usage
    assert says in " ".join(errors.split())
    assert "Traceback" not in errors


async def test_an_unknown_model_is_said_in_the_servers_words(rows: str) -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "no model 'x' is served here"}, status=404)

    async with serving(behave) as server:
        code, _, errors = await finish(await start(server.url, "--texts", rows, "--rate", "5", "--model", "x"))
    assert code == 1
    assert "status 404: no model 'x' is served here" in errors
