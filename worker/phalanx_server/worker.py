"""The worker: its parts, wired, and its state as seen from outside."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from pathlib import Path

from phalanx_contract import metrics as names
from phalanx_contract.plan import Plan, PlanHash, hash_plan
from phalanx_contract.revisions import PLAN_REVISION
from phalanx_contract.worker import LoadState, WorkerStatus
from phalanx_server.engine.thread import Engine
from phalanx_server.engine.work import Orders, Results
from phalanx_server.loading.loader import Loader
from phalanx_server.metrics import Metrics
from phalanx_server.plan.files import BadPlan, watch
from phalanx_server.serving.answering import Answering
from phalanx_server.serving.canary import Canary
from phalanx_server.serving.registry import Registry
from phalanx_server.serving.tokens import TokenThreads
from phalanx_server.settings import Settings

log = logging.getLogger(__name__)


class Worker:
    """Made and used on one event loop, between `start` and `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.release = importlib.metadata.version("phalanx")
        self.metrics = Metrics()
        self.draining = False
        """Not ready any more, but still answering: routers notice late."""
        self.accepting = True
        """Whether new texts are taken."""
        self.active = 0
        """Requests being answered, those among them that are still `receiving`."""
        self.receiving = 0
        """Requests whose body has not arrived yet."""
        self._tokens = TokenThreads(settings.tokenizer_threads)
        self._engine = Engine(settings, self.metrics, post=self._post)
        self.registry = Registry(settings, Loader(settings), self.metrics, publish=self._publish)
        self.answering = Answering(settings, self._engine, self._tokens, self.metrics)
        self.canary = Canary(self.answering, self.registry.trials, self.metrics, everyone=self.registry.everyone)
        self._plan_error = ""
        self._was_ready = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watcher: asyncio.Task[None] | None = None

    def start(self, plan: Plan | None = None) -> None:
        """Begin: with the plan given, or else with what appears in the plan's folder."""
        self._loop = asyncio.get_running_loop()
        self._engine.start()
        if plan is not None:
            self.registry.apply(hash_plan(plan), plan)
        else:
            self._watcher = asyncio.create_task(self._watch(), name="plan watcher")

    async def close(self) -> None:
        """End all tasks and threads; what still waits in the engine is finished first."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self.canary.close()
        self.registry.close()
        await asyncio.to_thread(self._engine.stop)
        self._tokens.close()

    @property
    def objective_s(self) -> float:
        """The latency objective of the plan."""
        return self.registry.plan.objective_p99_s if self.registry.plan else 1.0

    def problem(self) -> str:
        """Why the worker is not ready; empty if it is.

        At the start every ensemble has to be loaded or to have failed. Later on an ensemble that is still loading does
        not take the others down.
        """
        if self.draining:
            return "draining"
        if self.registry.plan is None:
            return self._plan_error or "there is no plan yet"
        if problem := self._engine.problem():
            return problem
        hosted = list(self.registry.hosted.values())
        if leaving := [h.spec.name for h in hosted if h.leaving]:
            return f"making room for another artifact: {', '.join(leaving)}"
        if hosted and not any(h.shelf for h in hosted):
            return "; ".join(f"{h.spec.name}: {h.failure or 'loading'}" for h in hosted)
        if not self._was_ready and (loading := [h.spec.name for h in hosted if h.state is LoadState.LOADING]):
            return f"loading: {', '.join(loading)}"
        self._was_ready = True
        return ""

    @property
    def alive(self) -> bool:
        """Whether a restart would not help: false once the engine thread has ended by itself."""
        return self.draining or self._engine.alive

    def status(self) -> WorkerStatus:
        """The report for the operator."""
        ensembles, adapters = self.registry.reports()
        return WorkerStatus(
            plan=self.registry.plan_hash,
            plan_error=self._plan_error[:4096],
            ready=not self.problem(),
            draining=self.draining,
            version=self.release,
            plan_revision=PLAN_REVISION,
            ensembles=ensembles,
            adapters=adapters,
        )

    async def exposition(self) -> bytes:
        """The metrics; written on a thread, for there can be thousands of series."""
        for hosted in self.registry.everyone():
            if hosted.shelf is not None:
                name, model = hosted.spec.name, hosted.shelf.model
                self.metrics.set(names.ADAPTER_SLOTS, name, "used", to=model.adapters.used)
                self.metrics.set(names.ADAPTER_SLOTS, name, "free", to=model.adapters.slots - model.adapters.used)
                for count in range(1, model.students + 1):
                    self.metrics.set(names.CAPACITY, name, count, to=model.speed.now.tokens_per_s(count))
        return await asyncio.to_thread(self.metrics.render)

    async def _watch(self) -> None:
        async for found in watch(Path(self.settings.plan_dir), every_s=self.settings.plan_poll_s):
            if isinstance(found, BadPlan):
                log.warning("the plan is refused: %s", found.message)
                self._plan_error = found.message
                self.metrics.inc(names.PLAN_ERRORS)
            else:
                log.info("plan %s", found.hash)
                self._plan_error = ""
                self._swap(found.hash, found.plan)

    def _swap(self, plan_hash: PlanHash, plan: Plan) -> None:
        if plan_hash == self.registry.plan_hash:
            return
        try:
            self.registry.apply(plan_hash, plan)
        except Exception:
            log.exception("plan %s could not be taken over", plan_hash)
            self._plan_error = f"{plan_hash} could not be taken over: see the worker's log"
            self.metrics.inc(names.PLAN_ERRORS)

    def _publish(self, orders: Orders) -> None:
        self._engine.orders = orders
        self._engine.submit(())  # an engine without work holds what has left until it is woken

    def _post(self, results: Results) -> None:
        """Hand results to the event loop; called on the engine thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.answering.deliver, results)
