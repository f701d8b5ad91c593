"""The tenants of one loaded model: weights on the host, slots on the device on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from phalanx_contract.plan import Adapter
from phalanx_contract.worker import LoadReason, LoadState
from phalanx_grid import AdapterNotLoaded, AdapterTableFull, AdapterWeights
from phalanx_server.errors import Overloaded, Unavailable
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.models import Model

_LEASE_WAIT_S: Final = 1.0
"""Longest wait for a slot while other tenants hold all of them: a batch or a few."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A pinned slot (0: the base model, which needs no pin) and the labels of the readout in it."""

    slot: int
    labels: tuple[str, ...]


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
        self._freed = asyncio.Event()

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

    async def lease(self, tenant: Tenant, count: int) -> Lease:
        """Pin the tenant's adapter `count` times, once for each text; each is released when its text is over.

        Raises:
            Unavailable: it is not loaded. Overloaded: every slot is in use.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _LEASE_WAIT_S
        while loop.time() < until_s:
            weights, digest = tenant.weights, tenant.digest
            if weights is None:
                raise Unavailable(f"the adapter {tenant.spec.name} {_why(tenant)}", retry_after_s=1.0)
            slot = self._pin(digest, count)
            if slot is not None:
                return Lease(slot=slot, labels=weights.labels)
            await self._put(digest, weights, until_s=until_s)
        raise Overloaded("overloaded: too many tenants at once for the adapter slots", retry_after_s=_LEASE_WAIT_S)

    def release(self, slot: int) -> None:
        """Undo one pin; slot 0 has none."""
        if slot:
            self.model.adapters.release(slot)
            self._freed.set()

    def _pin(self, digest: str, count: int) -> int | None:
        """All pins or none; a removal on another thread may come in between."""
        pinned: list[int] = []
        try:
            for _ in range(count):
                pinned.append(self.model.adapters.acquire(digest))
        except AdapterNotLoaded:
            for slot in pinned:
                self.model.adapters.release(slot)
            return None
        return pinned[0]

    async def _put(self, digest: str, weights: AdapterWeights, *, until_s: float) -> None:
        """Load into a slot, or wait for one to become free."""
        self._freed.clear()
        try:
            await self._run(self.model.adapters.put, digest, weights)
        except AdapterTableFull:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await self._freed.wait()


def _why(tenant: Tenant) -> str:
    if tenant.failure is None:
        return "is being loaded"
    if tenant.failure.reason is LoadReason.INTERNAL:
        return "cannot be loaded"
    return f"cannot be loaded: {tenant.failure}"
