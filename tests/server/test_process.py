"""The worker as a process: signals, crashes, bad options."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from phalanx_contract.plan import Adapter, Artifact, Cut, Plan
from phalanx_contract.wire import pack
from phalanx_server.run import address
from tests.server.artifacts import TEXTS, ensemble, make_plan
from tests.server.conftest import Shop
from tests.server.waiting import until

BODY = {"inputs": list(TEXTS) * 80}


@contextlib.asynccontextmanager
async def serve(tmp_path: Path, *options: str, **env: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A worker process and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "phalanx_cli", "serve", "--host", "127.0.0.1", "--port", "0", "--threads", "1",
        "--cache-dir", str(tmp_path / "cache"), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )  # fmt: skip
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield process, line.decode().removeprefix("serving on ").strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(session: aiohttp.ClientSession, url: str) -> bool:
    async with session.get(f"{url}/v2/health/ready") as response:
        return response.status == 200


def mount(folder: Path, plan: Plan) -> str:
    plan_hash, maps = pack(plan)
    folder.mkdir(exist_ok=True)
    for files in maps:
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return plan_hash


async def test_sigterm_finishes_what_was_asked_fails_readiness_and_exits_zero(shop: Shop, tmp_path: Path) -> None:
    options = ("--artifact", str(shop.base.path), "--name", "films", "--objective", "60", "--set", "drain_lag_s=0.5")
    async with serve(tmp_path, *options) as (process, url), aiohttp.ClientSession() as session:
        await until(lambda: ready(session, url))

        async def ask() -> int:
            async with session.post(f"{url}/predict", json=BODY) as response:
                assert len(await response.json()) == len(BODY["inputs"])
                return response.status

        running = [asyncio.create_task(ask()) for _ in range(8)]
        await until(lambda: in_flight(session, url))
        process.send_signal(signal.SIGTERM)
        await until(lambda: not_ready(session, url))
        assert await asyncio.gather(*running) == [200] * len(running)
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_store_that_hangs_delays_no_exit(shop: Shop, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as dead:
        uri = f"http://127.0.0.1:{dead.getsockname()[1]}/adapter"
        adapter = Adapter(name="dead", artifact=Artifact(uri=uri, digest="sha256:" + "0" * 64))
        mount(tmp_path / "plan", make_plan(ensemble("films", shop.base, adapters=[adapter])))
        options = [f"--set={name}" for name in ("store_stall_s=600", "tenants_wait_s=0.1", "drain_lag_s=0")]
        plan_dir = ("--plan-dir", str(tmp_path / "plan"))
        async with serve(tmp_path, *plan_dir, *options) as (process, url), aiohttp.ClientSession() as session:
            await until(lambda: ready(session, url))
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0


async def in_flight(session: aiohttp.ClientSession, url: str) -> bool:
    async with session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return any(
        line.startswith('phalanx_tokens_total{ensemble="films"}') and not line.endswith(" 0.0") for line in lines
    )


async def not_ready(session: aiohttp.ClientSession, url: str) -> bool:
    return not await ready(session, url)


async def test_a_killed_worker_comes_back_with_the_plan_that_is_mounted(shop: Shop, tmp_path: Path) -> None:
    plan_hash = mount(tmp_path / "plan", make_plan(ensemble("films", shop.base, cut=Cut(students_ceiling=2))))
    for _ in range(2):
        async with serve(tmp_path, "--plan-dir", str(tmp_path / "plan")) as (process, url):
            async with aiohttp.ClientSession() as session:
                await until(lambda: ready(session, url))
                async with session.post(f"{url}/predict", json={"inputs": TEXTS[0]}) as response:
                    assert response.headers["X-Phalanx-Plan"] == plan_hash
                    assert response.headers["X-Phalanx-Students"] == "2"
            process.kill()
            assert await process.wait() == -signal.SIGKILL


async def test_a_second_signal_does_not_wait(shop: Shop, tmp_path: Path) -> None:
    async with serve(tmp_path, "--artifact", str(shop.base.path), "--set", "drain_lag_s=60") as (process, url):
        async with aiohttp.ClientSession() as session:
            await until(lambda: ready(session, url))
            process.send_signal(signal.SIGINT)
            await until(lambda: not_ready(session, url))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


@contextlib.asynccontextmanager
async def stalled(url: str) -> AsyncIterator[asyncio.StreamReader]:
    """What is answered to a request whose body stops half-way."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"inputs": ')
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()


async def test_a_body_that_stops_half_way_is_waited_for_as_long_as_a_text_and_holds_up_no_drain(
    shop: Shop, tmp_path: Path
) -> None:
    options = ("--artifact", str(shop.base.path), "--set", "drain_lag_s=0.1", "--set", "request_timeout_s=1")
    async with serve(tmp_path, *options) as (process, url), aiohttp.ClientSession() as session:
        await until(lambda: ready(session, url))
        async with stalled(url) as reader:
            assert (await asyncio.wait_for(reader.readline(), 20)).split()[1] == b"408"
    options = ("--artifact", str(shop.base.path), "--set", "drain_lag_s=0.1", "--set", "drain_s=300")
    async with serve(tmp_path, *options) as (process, url), aiohttp.ClientSession() as session:
        await until(lambda: ready(session, url))
        async with stalled(url):
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            # Less than the 30 s after which it would be given up.
            assert await asyncio.wait_for(process.wait(), 20) == 0


@pytest.mark.parametrize(
    ("host", "reached"),
    [("::", "[::1]"), ("::1", "[::1]"), ("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("films", "films")],
)
def test_the_address_that_is_told_is_one_that_answers(host: str, reached: str) -> None:
    assert address(host, 8080) == f"http://{reached}:8080"


async def refusal(tmp_path: Path, *options: str, **env: str) -> tuple[int | None, str]:
    async with serve(tmp_path, *options, **env) as (process, _):
        _, errors = await process.communicate()
        return process.returncode, errors.decode()


async def test_bad_options_are_refused_in_one_line(shop: Shop, tmp_path: Path) -> None:
    cases: list[tuple[tuple[str, ...], dict[str, Any], str]] = [
        (("--set", "colour=red"), {}, "colour: no such setting"),
        (("--set", "drain_lag_s"), {}, "--set drain_lag_s: write NAME=VALUE"),
        (("--set", "=3"), {}, "--set =3: write NAME=VALUE"),
        (("--objective", "1"), {}, "--objective goes with --artifact"),
        (("--artifact", str(shop.base.path), "--plan-dir", str(tmp_path)), {}, "--plan-dir: with --artifact"),
        (("--artifact", str(shop.base.path), "--objective", "0"), {}, "--objective: "),
        (("--artifact", str(shop.base.path), "--students-min", "3", "--students-max", "2"), {}, "--students-max: "),
        (("--artifact", str(shop.base.path), "--students-min", "99"), {}, "--students-min: "),
        (("--set", "device=tpu"), {}, "device: "),
        (("--artifact", str(tmp_path)), {}, "no artifact at"),
        ((), {"PHALANX_WORKER_BATCH_TEXTS": "none"}, "batch_texts"),
    ]
    for options, env, message in cases:
        code, errors = await refusal(tmp_path, *options, **env)
        assert code in (1, 2)  # 2: click's own, with the usage
        assert message in errors
        assert "Traceback" not in errors


async def test_a_port_that_is_taken_is_named_with_its_option(shop: Shop, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, errors = await refusal(tmp_path, "--artifact", str(shop.base.path), "--port", port)
    assert code == 1
    assert f"Error: --host 127.0.0.1 --port {port}: cannot listen there" in errors
