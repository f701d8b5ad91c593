"""From an ensemble of the plan to a shelf that answers, and from an adapter to its slot, with retries."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from phalanx_contract import metrics as names
from phalanx_contract.worker import LoadState
from phalanx_grid import AdapterTableFull, AdapterWeights
from phalanx_server.loading.back_off import delays
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.loader import Loader
from phalanx_server.metrics import Metrics
from phalanx_server.models import Model
from phalanx_server.serving.attempts import attempt, told
from phalanx_server.serving.hosted import Hosted, too_many_students
from phalanx_server.serving.load_threads import LoadThreads, on
from phalanx_server.serving.shelf import Shelf, Tenant
from phalanx_server.settings import Settings


class BringUp:
    """Owns the loader threads: for ensembles, for adapters, and for slots, which hold up a tenant's requests."""

    def __init__(self, settings: Settings, loader: Loader, metrics: Metrics) -> None:
        self._settings, self._loader, self._metrics = settings, loader, metrics
        self._ensembles, self._adapters = LoadThreads("ensemble"), LoadThreads("adapter")
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
        self._ensembles.close()
        self._adapters.close()
        self._slots.shutdown(wait=False, cancel_futures=True)

    async def _shelf(self, hosted: Hosted) -> Shelf:
        spec = hosted.spec
        await self._ensembles.fetch(self._loader.fetch, spec.artifact)
        model = await self._ensembles.load(self._loader.model, spec.name, spec.artifact)
        if (failure := too_many_students(hosted.spec, model)) is not None:
            raise failure
        # What it consists of is old from now on, and not looked at in the middle of a burst.
        await self._ensembles.load(gc.collect)
        shelf = Shelf(model, load=self.tenant, run=partial(on, self._slots))
        try:
            swaps = hosted.shelf is not None
            wait_s = self._settings.tenants_swap_s if swaps else self._settings.tenants_wait_s
            await shelf.adopt(hosted.spec.adapters, within_s=wait_s)
        except BaseException:
            shelf.close()
            raise
        return shelf

    async def _tenant(self, model: Model, tenant: Tenant, what: str, on_failure: Callable[[LoadFailure], None]) -> None:
        artifact, digest = tenant.spec.artifact, tenant.spec.artifact.digest

        async def load() -> AdapterWeights:
            await self._adapters.fetch(self._loader.fetch, artifact)
            return await self._adapters.load(self._loader.adapter, artifact, model)

        weights = await attempt(load, what=what, delays_s=self._delays(), on_failure=on_failure)
        if weights is None:
            return
        tenant.loaded(weights, digest)
        self._metrics.inc(names.ADAPTER_LOADS, "loaded")
        if model.adapters.used < model.adapters.slots:
            with contextlib.suppress(AdapterTableFull):
                await on(self._slots, model.adapters.put, digest, weights)

    def _tenant_failed(self, tenant: Tenant, failure: LoadFailure) -> None:
        tenant.state, tenant.failure = LoadState.FAILED, failure
        self._metrics.inc(names.ADAPTER_LOADS, "failed")
        tenant.attempted.set()

    def _delays(self) -> Iterator[float]:
        return delays(first_s=self._settings.retry_first_s, most_s=self._settings.retry_max_s)
