"""HTTP servers in front of, or in place of, a Prometheus: with TLS, a token, or whatever answer a test wants."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.e2e.certificates import write_server_certificate

BINARY = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    BINARY is None, reason="no prometheus on PATH (Debian: apt-get install prometheus)"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Certificates:
    """An authority, and a server's certificate for 127.0.0.1 and localhost."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        write_server_certificate(folder)
        self.ca = (folder / "ca.crt").read_text()
        self.crt, self.key = folder / "server.crt", folder / "server.key"
        self.of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.of_server.load_cert_chain(self.crt, self.key)

    @property
    def of_client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.ca)


@asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Answer every query of the API with `handler`; yields the base URL."""
    app = web.Application()
    app.router.add_post("/api/v1/query", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(body: str, status: int = 200, **headers: str) -> Handler:
    """The same answer to everything."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status, headers=headers)

    return handler


def vector(*series: tuple[dict[str, str], float | str], **more: Any) -> str:
    """The body of a successful query."""
    result = [{"metric": labels, "value": [1.0, str(value)]} for labels, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


class Gateway:
    """Lets through to a Prometheus who knows `token`; the tokens that others tried are in `refused`."""

    def __init__(self, upstream: str, *, token: str, tls: ssl.SSLContext | None = None) -> None:
        self.token = token
        self.refused: list[str] = []
        self._upstream, self._tls = upstream, tls

    async def handle(self, request: web.Request) -> web.StreamResponse:
        presented = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if presented != self.token:
            self.refused.append(presented)
            return web.Response(status=401, text=f"not {presented}")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._upstream}{request.path}", data=await request.post(), ssl=self._tls or True) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status)


class RealPrometheus:
    """A Prometheus in a folder of its own. `jobs` maps a job to its targets, each an address with labels."""

    def __init__(self, folder: Path, *, certificates: Certificates | None = None) -> None:
        self.folder, self._certificates = folder, certificates
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]
        self.url = f"{'https' if certificates else 'http'}://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None
        self.scrape({})

    def scrape(self, jobs: dict[str, list[tuple[str, dict[str, str]]]]) -> None:
        """Write the configuration: each target twice a second. Read at the start alone."""
        described = [
            {
                "job_name": job,
                "static_configs": [{"targets": [address], "labels": labels} for address, labels in targets],
            }
            for job, targets in jobs.items()
        ]
        config = {"global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"}, "scrape_configs": described}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    async def start(self) -> None:
        """Start; whoever asks too early finds nobody."""
        web_config = self.folder / "web.yml"
        pair = self._certificates
        tls = {"tls_server_config": {"cert_file": str(pair.crt), "key_file": str(pair.key)}} if pair else {}
        web_config.write_text(yaml.safe_dump(tls))
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                BINARY or "",
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--web.config.file={web_config}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """With -9, as the kernel does it when memory is short."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RealPrometheus]:
        await self.start()
        try:
            yield self
        finally:
            await self.kill()
