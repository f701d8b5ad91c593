"""A worker over small artifacts, in this process, on loopback."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from phalanx_contract.plan import Adapter, ApiKey, Cut, Plan, hash_plan
from phalanx_server.http.app import make_app
from phalanx_server.http.protocol_faults import log as http_log
from phalanx_server.settings import Settings
from phalanx_server.worker import Worker
from tests.server.artifacts import Saved, ensemble, make_plan, save_ensemble, save_tenant
from tests.server.gate import Gate, even_device, gate
from tests.server.waiting import until

__all__ = ["Gate", "even_device", "gate"]

API_KEY = "open sesame"


@dataclass(frozen=True, slots=True)
class Shop:
    """A base ensemble, and three tenants of it with heads of different sizes."""

    base: Saved
    tenants: dict[str, Saved]

    def adapters(self, *names: str) -> list[Adapter]:
        """Tenants of a plan; `locked` has an API key."""
        return [
            Adapter(name=name, artifact=self.tenants[name].artifact, api_key=_key() if name == "locked" else None)
            for name in names
        ]

    def plan(self, *, cut: Cut | None = None, objective_s: float = 10.0) -> Plan:
        """Everything, as one ensemble named `films`."""
        adapters = self.adapters(*self.tenants)
        return make_plan(ensemble("films", self.base, cut=cut, adapters=adapters), objective_s=objective_s)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    base = save_ensemble(folder / "base")
    tenants = {
        "acme": save_tenant(folder / "acme", base, labels=("no", "yes"), seed=1),
        "brick": save_tenant(folder / "brick", base, labels=("a", "b", "c", "d"), seed=2),
        "locked": save_tenant(folder / "locked", base, labels=("in", "out", "about"), seed=3),
    }
    return Shop(base, tenants)


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_ensemble(tmp_path_factory.mktemp("embedder") / "grid", labels=(), seed=5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        host="127.0.0.1", port=0, cache_dir=str(tmp_path / "cache"), plan_dir=str(tmp_path / "plan"),
        claims_dir=str(tmp_path / "claims"), threads=1, dtype="fp32", plan_poll_s=0.02,
        retry_first_s=0.02, retry_max_s=0.05, self_check_s=0.1, raise_after_s=0.05,
        drain_lag_s=0.05, unready_lag_s=0.05,
    )  # fmt: skip


@dataclass(slots=True)
class Running:
    """A worker and a client of it."""

    worker: Worker
    client: TestClient[Any, Any]

    async def swap(self, plan: Plan) -> None:
        """Take over a plan, and wait until all of it is loaded or has failed."""
        self.worker.registry.apply(hash_plan(plan), plan)
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is being loaded."""
        await until(
            lambda: not any(r.state == "Loading" for reports in self.worker.registry.reports() for r in reports)
        )

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers."""
        async with self.client.post(path, json=body, headers=headers) as response:
            return response.status, await response.json(), dict(response.headers)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON."""
        async with self.client.get(path, headers=headers) as response:
            return response.status, await response.json()

    async def metrics(self) -> str:
        """The exposition."""
        async with self.client.get("/metrics") as response:
            return await response.text()


Start = Callable[..., contextlib.AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(settings: Settings) -> Start:
    """Starts a worker with a plan; without one it watches its (empty) plan folder."""

    @contextlib.asynccontextmanager
    async def begin(plan: Plan | None = None, **changes: Any) -> AsyncIterator[Running]:
        worker = Worker(
            Settings(**{**{name: getattr(settings, name) for name in settings.__struct_fields__}, **changes})
        )
        server = TestServer(make_app(worker))
        await server.start_server(logger=http_log)
        worker.start(plan)
        client: TestClient[Any, Any] = TestClient(server)
        try:
            running = Running(worker, client)
            await running.settled()
            yield running
        finally:
            await client.close()
            await worker.close()

    return begin


def _key() -> ApiKey:
    salt = bytes(range(16))
    return ApiKey(salt=salt.hex(), sha256=hashlib.sha256(salt + API_KEY.encode()).hexdigest())
