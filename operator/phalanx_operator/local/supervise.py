"""Keep one pod's process running: start, probe, restart with back-off, stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from phalanx_operator.api.types import Manifest
from phalanx_operator.local.ending import EndingFile
from phalanx_operator.local.health import Health
from phalanx_operator.local.launch import container_of, port_of
from phalanx_operator.local.podstatus import PodStatus
from phalanx_operator.local.probes import Probe
from phalanx_operator.local.process import Process
from phalanx_operator.reconcile.backoff import Backoff

_DEFAULT_GRACE_S = 30.0


class Supervisor:
    """Runs one pod until `stop`, or until its restart policy says that it is done."""

    def __init__(
        self,
        pod: Manifest,
        *,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        host: str,
        port: int,
        folder: Path,
        backoff: Backoff,
    ) -> None:
        container = container_of(pod)
        self._probes = _probes_of(container, port)
        self._restart_policy = pod["spec"].get("restartPolicy", "Always")
        self._grace_s = float(pod["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S))
        self._argv, self._env, self._folder = argv, env, folder
        self._backoff = backoff
        self.changed: Callable[[], None] = lambda: None
        self._stopping = asyncio.Event()
        self.host, self.port = host, port
        self.log = folder / "output.log"
        self._ending = EndingFile.of(container, folder, log=self.log)
        self.status = PodStatus()

    def stop(self, *, grace_s: float | None = None) -> None:
        """Ask `run` to end the process and return."""
        self._grace_s = self._grace_s if grace_s is None else grace_s
        self._stopping.set()

    async def run(self) -> None:
        """Run the pod; returns once it will not run again. Cancellation kills the process group."""
        async with aiohttp.ClientSession() as session:
            while not self._stopping.is_set():
                began = time.monotonic()
                code = await self._run_once(session)
                failed = code != 0
                if self._restart_policy == "Never" or (self._restart_policy == "OnFailure" and not failed):
                    self._set(phase="Failed" if failed else "Succeeded")
                    return
                self._backoff = self._backoff.failed(after_s=time.monotonic() - began)
                await self._pause(self._backoff.delay_s)
        self._set(phase="Failed" if self.status.exit_code else "Succeeded")

    async def _pause(self, delay_s: float) -> None:
        """Wait for the back-off, or for `stop`."""
        if self._stopping.is_set():
            return
        self._set(waiting="CrashLoopBackOff", message=self.status.message or f"next start in {delay_s:g} s")
        try:
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()
        except TimeoutError:
            self._set(restarts=self.status.restarts + 1)

    async def _run_once(self, session: aiohttp.ClientSession) -> int:
        """One run of the process, from start to exit."""
        self._ending.clear()
        process = await Process.start(self._argv, env=self._env, cwd=self._folder, log=self.log)
        self._set(phase="Running", pid=process.pid, waiting="", message="", started_at=time.time())
        exited = asyncio.create_task(process.wait())
        unhealthy = asyncio.create_task(Health(self._probes, host=self.host, report=self._set).watch(session))
        tasks: set[asyncio.Task[Any]] = {exited, unhealthy, asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            problem = unhealthy.result() if unhealthy.done() else ""
            if not exited.done():
                self._set(ready=False, message=problem)
                await process.stop(grace_s=self._grace_s)
            code = await exited
        except BaseException:
            await process.stop(grace_s=0)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        message = problem or f"exited with {code}; read {self.log}"
        ending = self._ending.read(code)
        self._set(pid=None, ready=False, started=False, exit_code=code, message=message, ending=ending)
        return code

    def _set(self, **changes: Any) -> None:
        status = replace(self.status, **changes)
        if status != self.status:
            self.status = status
            self.changed()


def _probes_of(container: Manifest, port: int) -> dict[str, Probe]:
    """The container's probes, aimed at the ports of this host; `port` is where its `http` port went."""
    ports: dict[str | int, int] = {
        entry.get("name", ""): entry["containerPort"] for entry in container.get("ports", [])
    }
    ports |= {"http": port, port_of(container): port}
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    return {kind: Probe.of(container[kind], ports) for kind in kinds if kind in container}
