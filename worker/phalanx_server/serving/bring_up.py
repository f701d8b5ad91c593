"""From an ensemble of the plan to a shelf that answers, and from an adapter to its slot, with retries."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from phalanx_contract import metrics as names
from phalanx_contract.worker import LoadState
from phalanx_grid import AdapterTableFull
from phalanx_server.loading.back_off import delays
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.loader import Loader
from phalanx_server.metrics import Metrics
from phalanx_server.models import Model
from phalanx_server.serving.attempts import attempt, told
from phalanx_server.serving.hosted import Hosted, too_many_students
from phalanx_server.serving.shelf import Shelf, Tenant
from phalanx_server.settings import Settings

Result = TypeVar("Result")


class BringUp:
    """Owns the loader threads. Two pools: a slow download must not hold up a tenant that only needs its slot."""

    def __init__(self, settings: Settings, loader: Loader, metrics: Metrics) -> None:
        self._settings, self._loader, self._metrics = settings, loader, metrics
        self._loading = ThreadPoolExecutor(2, thread_name_prefix="loader")
        self._slots = ThreadPoolExecutor(2, thread_name_prefix="slots")

    async def ensemble(self, hosted: Hosted, *, once: bool = False) -> Shelf | None:
        """Load the artifact that the plan wants, and its tenants; None after a failure for good, with `once` any."""
        load, delays_s = partial(self._shelf, hosted), (0.0,) if once else self._delays()
        return await attempt(load, what=hosted.spec.name, delays_s=delays_s, on_failure=hosted.failed)

    async def tenant(self, model: Model, tenant: Tenant) -> None:
        """Load a tenant's adapter, and put it into a slot if one is free; else it gets one with its first request."""
        what, on_failure = f"{model.name}:{tenant.spec.name}", partial(self._tenant_failed, tenant)
        try:
            await told(partial(self._tenant, model, tenant, what, on_failure), what=what, on_failure=on_failure)
        finally:
            tenant.attempted.set()

    def close(self) -> None:
        """Let the threads end."""
        for pool in (self._loading, self._slots):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _shelf(self, hosted: Hosted) -> Shelf:
        spec = hosted.spec
        model = await _on(self._loading, self._loader.model, spec.name, spec.artifact)
        if (failure := too_many_students(hosted.spec, model)) is not None:
            raise failure
        # What it consists of is old from now on, and not looked at in the middle of a burst.
        await _on(self._loading, gc.collect)
        shelf = Shelf(model, load=self.tenant, run=partial(_on, self._slots))
        try:
            await shelf.adopt(hosted.spec.adapters)
        except BaseException:
            shelf.close()
            raise
        return shelf

    async def _tenant(self, model: Model, tenant: Tenant, what: str, on_failure: Callable[[LoadFailure], None]) -> None:
        load = partial(_on, self._loading, self._loader.adapter, tenant.spec.artifact, model)
        digest = tenant.spec.artifact.digest
        weights = await attempt(load, what=what, delays_s=self._delays(), on_failure=on_failure)
        if weights is None:
            return
        tenant.loaded(weights, digest)
        self._metrics.inc(names.ADAPTER_LOADS, "loaded")
        if model.adapters.used < model.adapters.slots:
            with contextlib.suppress(AdapterTableFull):
                await _on(self._slots, model.adapters.put, digest, weights)

    def _tenant_failed(self, tenant: Tenant, failure: LoadFailure) -> None:
        tenant.state, tenant.failure = LoadState.FAILED, failure
        self._metrics.inc(names.ADAPTER_LOADS, "failed")
        tenant.attempted.set()

    def _delays(self) -> Iterator[float]:
        return delays(first_s=self._settings.retry_first_s, most_s=self._settings.retry_max_s)


def _on(pool: ThreadPoolExecutor, call: Callable[..., Result], *args: object) -> asyncio.Future[Result]:
    """Call on a thread of the pool, as a future of the running loop."""
    return asyncio.get_running_loop().run_in_executor(pool, call, *args)
