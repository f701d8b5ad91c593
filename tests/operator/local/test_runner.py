"""Pods as processes: what the node of the end-to-end tests and `phalanx up` stand on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from phalanx_operator.local.launch import LaunchError
from phalanx_operator.local.runner import PodProcess, ProcessRunner
from phalanx_operator.local.volumes import Contents, VolumeError
from phalanx_operator.reconcile.backoff import Backoff
from tests.operator.local.pods import free_port, pod, probe, until

Start = Callable[..., Awaitable[PodProcess]]
QUICK = Backoff(initial_s=0.05, max_s=0.1)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    runner = ProcessRunner(tmp_path, backoff=QUICK)
    pods: list[PodProcess] = []

    async def start(manifest: dict[str, Any], contents: Contents | None = None) -> PodProcess:
        pods.append(await runner.start(manifest, port=free_port(), contents=contents))
        return pods[-1]

    yield start
    for running in pods:
        await running.stop(grace_s=5)


async def get(running: PodProcess, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{running.address}/{path}") as response:
        return await response.text()


def probed(**more: Any) -> dict[str, Any]:
    return pod(container={"startupProbe": probe("/start"), "readinessProbe": probe("/ready"), **more})


async def test_a_pod_serves_where_it_was_told_and_becomes_ready_by_its_probes(start: Start) -> None:
    running = await start(probed())
    assert not running.status.ready
    await until(lambda: running.status.ready)
    assert running.status.phase == "Running"
    assert await get(running, "env/PHALANX_PORT") == str(running.port)
    assert await get(running, "env/GREETING") == "w-0 says hello"


async def test_new_contents_of_a_config_map_reach_the_running_process(start: Start) -> None:
    running = await start(probed(), Contents(config_maps={"gpus-plan-0": {"plan.000": b"one"}}))
    await until(lambda: running.status.ready)
    assert await get(running, "file/plan.000") == "one"
    running.update(Contents(config_maps={"gpus-plan-0": {"plan.000": b"two"}, "gpus-plan-1": {"plan.001": b"more"}}))
    assert await get(running, "file/plan.000") == "two"
    assert await get(running, "file/plan.001") == "more"
    running.update(Contents(config_maps={"gpus-plan-0": {"plan.000": b"two"}}))
    assert await get(running, "file/plan.001") == "missing"


async def test_a_process_that_dies_is_started_again(start: Start) -> None:
    running = await start(probed())
    await until(lambda: running.status.ready)
    first = running.status.pid
    with pytest.raises(aiohttp.ClientError):
        await get(running, "die")
    await until(lambda: running.status.ready and running.status.pid != first)
    assert running.status.restarts == 1
    assert running.status.exit_code == 3


async def test_a_process_that_dies_at_once_is_reported_as_a_crash_loop(start: Start) -> None:
    running = await start(pod(command=[sys.executable, "-c", "print('no GPU'); raise SystemExit(7)"]))
    await until(lambda: running.status.restarts >= 2 and running.status.waiting)
    assert running.status.waiting == "CrashLoopBackOff"
    assert "7" in running.status.message
    assert running.log.read_text().startswith("no GPU\n")


async def test_a_command_that_does_not_exist_says_so_in_the_log(start: Start) -> None:
    running = await start(pod(command=["/no/such/program"]))
    await until(lambda: running.status.exit_code == 127)
    assert "/no/such/program: No such file" in running.log.read_text()


async def test_failing_readiness_takes_a_pod_out_and_brings_it_back_without_a_restart(start: Start) -> None:
    running = await start(probed(readinessProbe=probe("/ready", failureThreshold=2)))
    await until(lambda: running.status.ready)
    broken = running.folder / "volumes" / "tmp" / "broken-ready"
    broken.touch()
    await until(lambda: not running.status.ready)
    broken.unlink()
    await until(lambda: running.status.ready)
    assert running.status.restarts == 0


async def test_failing_liveness_restarts_the_process(start: Start) -> None:
    running = await start(probed(livenessProbe=probe("/live", failureThreshold=2)))
    await until(lambda: running.status.ready)
    broken = running.folder / "volumes" / "tmp" / "broken-live"
    broken.touch()
    await until(lambda: running.status.restarts == 1)
    broken.unlink()
    await until(lambda: running.status.ready)
    assert running.status.restarts >= 1


async def test_a_pod_that_never_restarts_ends_with_its_exit_status(start: Start) -> None:
    failed = await start(pod("job-a", command=[sys.executable, "-c", "raise SystemExit(4)"], restartPolicy="Never"))
    done = await start(pod("job-b", command=[sys.executable, "-c", "pass"], restartPolicy="OnFailure"))
    assert ((await failed.wait()).phase, (await failed.wait()).exit_code) == ("Failed", 4)
    assert (await done.wait()).phase == "Succeeded"


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(start: Start) -> None:
    running = await start(pod(args=("stubborn",), container={"startupProbe": probe("/start")}))
    await until(lambda: running.status.started)
    process = psutil.Process(running.status.pid)
    await running.stop(grace_s=0.2)
    assert not process.is_running()
    assert running.status.exit_code == -signal.SIGKILL


async def test_stopping_ends_grandchildren_too_and_takes_the_volumes_away(start: Start) -> None:
    code = "import subprocess; child = subprocess.Popen(['sleep', '600']); print('up', flush=True); child.wait()"
    running = await start(pod(command=[sys.executable, "-c", code]))
    await until(lambda: running.log.exists() and "up" in running.log.read_text())
    family = [psutil.Process(running.status.pid), *psutil.Process(running.status.pid).children(recursive=True)]
    assert len(family) == 2
    await running.stop()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert sorted(path.name for path in running.folder.iterdir()) == ["output.log"]


async def test_stopping_during_the_back_off_does_not_wait_for_it(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path, backoff=Backoff(initial_s=600))
    running = await runner.start(pod(command=[sys.executable, "-c", "raise SystemExit(1)"]), port=free_port())
    await until(lambda: running.status.waiting)
    began = time.monotonic()
    await running.stop()
    assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
async def test_pods_die_with_a_parent_that_is_killed_by_minus_nine(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, pathlib
        from phalanx_operator.local.runner import ProcessRunner
        from tests.operator.local.pods import pod
        async def main():
            running = await ProcessRunner(pathlib.Path({str(tmp_path)!r})).start(pod(command=["sleep", "600"]))
            while running.status.pid is None:
                await asyncio.sleep(0.01)
            print(running.status.pid, flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """)
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join([root, f"{root}/operator", f"{root}/contract"])
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    _, alive = psutil.wait_procs([child], timeout=5)
    assert not alive


async def test_a_missing_volume_is_named_before_anything_starts(tmp_path: Path) -> None:
    volumes = [{"name": "keys", "secret": {"secretName": "acme"}}]
    with pytest.raises(VolumeError, match="volume keys: there is no Secret acme"):
        await ProcessRunner(tmp_path).start(pod(volumes=volumes, container={"volumeMounts": []}))


async def test_a_pod_with_two_containers_is_refused(tmp_path: Path) -> None:
    manifest = pod()
    manifest["spec"]["containers"] *= 2
    with pytest.raises(LaunchError, match=r"spec\.containers"):
        await ProcessRunner(tmp_path).start(manifest)
