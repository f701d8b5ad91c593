"""Kopf's watches against an API server that fails in every way that it may: none of it is lost, none of it is fatal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import kopf
import pytest
from aiohttp import web

from phalanx_operator.api.types import Key
from phalanx_operator.handlers import watch as handlers
from phalanx_operator.handlers.cluster import POD
from phalanx_operator.handlers.settings import Patience
from phalanx_operator.handlers.watch import Watch, register
from phalanx_operator.observe.store import Ref, Store
from tests.operator.objects import ensemble, pool

GROUP = "/apis/phalanx.dev/v1alpha1"
KINDS = {"servingpools": "ServingPool", "studentensembles": "StudentEnsemble", "tenantadapters": "TenantAdapter"}
DEADLINE_S = 30.0


def resources(**kinds: str) -> dict[str, Any]:
    verbs = ["list", "watch", "patch", "get"]
    return {
        "resources": [
            {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
            for name, kind in kinds.items()
        ]
    }


class Server:
    """Lists what is in `objects`; each watch of ServingPools meets the next of `fates`, all others stay open."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        self.fates: list[int | dict[str, Any] | str] = []
        self.watched = 0
        self.listed = 0
        self.expire = asyncio.Event()
        self.closing = asyncio.Event()

    async def discover(self, request: web.Request) -> web.Response:
        answers: dict[str, Any] = {
            "/api": {"versions": ["v1"]},
            "/apis": {
                "groups": [
                    {
                        "name": name,
                        "versions": [{"groupVersion": f"{name}/{version}", "version": version}],
                        "preferredVersion": {"groupVersion": f"{name}/{version}", "version": version},
                    }
                    for name, version in (("phalanx.dev", "v1alpha1"),)
                ]
            },
            # Kopf waits for namespaces to be a resource, whatever it then watches.
            "/api/v1": resources(pods="Pod", namespaces="Namespace"),
            GROUP: resources(**KINDS),
        }
        return web.json_response(answers[request.path])

    async def collection(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rsplit("/", 1)[1]
        if request.query.get("watch") == "true":
            return await self._watch(request, plural)
        if plural == "servingpools":
            self.listed += 1
        items = [{**each, "metadata": {**each["metadata"], "namespace": "ml"}} for each in self.objects.get(plural, [])]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        fate: int | dict[str, Any] | str = "stay"
        if plural == "servingpools":
            self.watched += 1
            fate = self.fates.pop(0) if self.fates else "stay"
        if isinstance(fate, int):
            return web.json_response({"kind": "Status", "message": "said"}, status=fate, headers={"Retry-After": "0"})
        response = web.StreamResponse()
        await response.prepare(request)
        if isinstance(fate, dict):
            await response.write(json.dumps(fate).encode() + b"\n")
        elif fate == "drop":
            assert request.transport is not None
            request.transport.abort()
        elif fate == "expire":
            await self.expire.wait()
            await response.write(json.dumps(EXPIRED).encode() + b"\n")
        elif fate == "stay":
            await self.closing.wait()
        return response


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    for path in ("/api", "/apis", "/api/v1", GROUP):
        app.router.add_get(path, server.discover)
    app.router.add_get("/{tail:.*}", server.collection)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=url, token="t")

    monkeypatch.setattr(handlers, "login", login)
    monkeypatch.setattr(Patience, "first_s", 0.01)
    monkeypatch.setattr(Patience, "max_s", 0.02)
    yield server
    await runner.cleanup()


class Watching:
    """Kopf with our handlers and settings, until it is left."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.store = Store()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watching:
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        settings.queueing.idle_timeout = settings.queueing.exit_timeout = 0.1
        watch = Watch(self.store, Store(), lambda key: None)
        register(registry, watch, namespaced=True, made=(POD,))
        self._task = asyncio.create_task(
            kopf.operator(
                registry=registry, settings=settings, standalone=True, namespaces=["ml"], stop_flag=self._stop
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        # Kopf waits for every task of the loop that is younger than itself, the server's among them.
        self._server.closing.set()
        assert self._task is not None
        await self._task

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it; what ends Kopf before is raised."""
        assert self._task is not None
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                if self._task.done():
                    await self._task
                    raise AssertionError("Kopf ended")
                await asyncio.sleep(0.02)

    def has(self, kind: str, name: str) -> bool:
        return self.store.get(Ref(kind, Key("ml", name))) is not None


def versioned(obj: dict[str, Any], version: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "namespace": "ml", "resourceVersion": version, "uid": f"u{version}"}}


EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
FATES = [
    pytest.param(EXPIRED, id="410 in the stream"),
    pytest.param(429, id="429"),
    pytest.param(500, id="500"),
    pytest.param(503, id="503"),
    pytest.param("drop", id="connection lost"),
    pytest.param("end", id="ended by the server"),
]


@pytest.mark.parametrize("fate", FATES)
async def test_a_watch_goes_on_after(server: Server, fate):
    server.objects["servingpools"] = [versioned(pool("old"), "2")]
    server.fates = [fate, fate, fate, {"type": "ADDED", "object": versioned(pool("new"), "9")}]
    async with Watching(server) as watching:
        await watching.until(lambda: watching.has("ServingPool", "old") and watching.has("ServingPool", "new"))
    assert server.watched >= 4


async def test_an_expired_watch_lists_again_and_sees_what_it_missed(server: Server):
    server.objects["servingpools"] = [versioned(pool("old"), "2")]
    server.fates = ["expire"]
    async with Watching(server) as watching:
        await watching.until(lambda: watching.has("ServingPool", "old") and server.watched > 0)
        server.objects["servingpools"].append(versioned(pool("missed"), "7"))
        server.expire.set()
        await watching.until(lambda: watching.has("ServingPool", "missed"))
    assert server.listed == 2


async def test_an_outage_that_outlasts_kopfs_own_patience_is_waited_for(server: Server):
    server.objects["studentensembles"] = [versioned(ensemble("kept"), "3")]
    server.fates = [503] * 40
    async with Watching(server) as watching:
        await watching.until(lambda: not server.fates)
        assert watching.has("StudentEnsemble", "kept")


def test_waits_grow_to_a_bound_and_never_end():
    waits = [wait for wait, _ in zip(Patience(), range(200), strict=False)]
    assert 0.5 <= waits[0] <= 0.75
    assert all(5.0 <= wait <= 7.5 for wait in waits[10:])
