"""The tenants of one loaded model: weights on the host, slots on the device on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from phalanx_contract.plan import Adapter
from phalanx_contract.worker import LoadReason, LoadState
from phalanx_grid import AdapterWeights
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.models import Model
from phalanx_server.serving.leases import Leases


@dataclass(slots=True, eq=False)
class Tenant:
    """One adapter of the plan. `weights` with their `digest` are those that serve, also while others are loading."""

    spec: Adapter
    state: LoadState = LoadState.LOADING
    failure: LoadFailure | None = None
    weights: AdapterWeights | None = None
    digest: str = ""
    attempted: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def loaded(self, weights: AdapterWeights, digest: str) -> None:
        """These serve from now on."""
        self.weights, self.digest = weights, digest
        self.state, self.failure = LoadState.SERVING, None

    @property
    def why(self) -> str:
        """Why it cannot be asked."""
        if self.failure is None:
            return f"the adapter {self.spec.name} is being loaded"
        if self.failure.reason is LoadReason.INTERNAL:
            return f"the adapter {self.spec.name} cannot be loaded"
        return f"the adapter {self.spec.name} cannot be loaded: {self.failure}"


class Shelf:
    """All tenants of `model`. `load` fetches an adapter for the model, with retries; `run` calls on a loader thread."""

    def __init__(
        self,
        model: Model,
        *,
        load: Callable[[Model, Tenant], Coroutine[Any, Any, None]],
        run: Callable[..., Any],
    ) -> None:
        self.model = model
        self.tenants: dict[str, Tenant] = {}
        self._load, self._run = load, run
        self.leases = Leases(model.adapters, run)

    async def adopt(self, adapters: Iterable[Adapter], *, within_s: float) -> None:
        """Load these, and come back when each was tried once, or in time: who is late joins when it is loaded."""
        for adapter in adapters:
            self.want(adapter)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for tenant in list(self.tenants.values()):
                    await tenant.attempted.wait()

    def want(self, adapter: Adapter) -> None:
        """Start to load a tenant's adapter; what served before serves until then."""
        tenant = self.tenants.get(adapter.name)
        if tenant is None:
            tenant = self.tenants[adapter.name] = Tenant(adapter)
        if tenant.task is not None:
            tenant.task.cancel()
        tenant.spec, tenant.state, tenant.failure = adapter, LoadState.LOADING, None
        tenant.task = asyncio.create_task(self._load(self.model, tenant), name=f"adapter {adapter.name}")

    def match(self, adapters: Iterable[Adapter]) -> None:
        """Catch up with a plan that came while this shelf was being made."""
        wanted = {adapter.name: adapter for adapter in adapters}
        for name in [name for name in self.tenants if name not in wanted]:
            self.drop(name)
        for name, adapter in wanted.items():
            if name not in self.tenants or self.tenants[name].spec.artifact != adapter.artifact:
                self.want(adapter)
            self.update(adapter)

    def update(self, adapter: Adapter) -> None:
        """Take over a tenant's weight, rate and key."""
        self.tenants[adapter.name].spec = adapter

    def drop(self, name: str) -> None:
        """The tenant is gone: new requests for it find nothing, running ones keep their slot."""
        tenant = self.tenants.pop(name)
        tenant.attempted.set()
        if tenant.task is not None:
            tenant.task.cancel()
        if tenant.digest and not any(other.digest == tenant.digest for other in self.tenants.values()):
            self._run(self.model.adapters.remove, tenant.digest)

    def close(self) -> None:
        """Stop loading."""
        for tenant in self.tenants.values():
            if tenant.task is not None:
                tenant.task.cancel()
