"""All ensembles of the plan: loading, swapping, dropping, and what the engine is told of it.

Lives on the event loop; loads run on loader threads. A failure stays with its ensemble or tenant, and a new artifact
replaces the old one only when it is loaded and warm, with its tenants. A candidate is loaded beside the artifact whose
place it may take; when the plan gives it that place it is there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from phalanx_contract import metrics as names
from phalanx_contract.plan import Candidate, Ensemble, Plan, PlanHash, candidate_name
from phalanx_contract.worker import AdapterReport, EnsembleReport, LoadReason, LoadState
from phalanx_server.engine.lanes import bounds_of
from phalanx_server.engine.work import Orders
from phalanx_server.loading.loader import Loader
from phalanx_server.metrics import Metrics
from phalanx_server.plan.difference import difference
from phalanx_server.serving.alone import make_room, own_part
from phalanx_server.serving.attempts import told
from phalanx_server.serving.bring_up import BringUp
from phalanx_server.serving.hosted import Hosted
from phalanx_server.serving.shelf import Shelf
from phalanx_server.serving.trial import Trial, as_ensemble
from phalanx_server.settings import Settings

_GAUGES: Final = (
    names.STUDENTS, names.STUDENTS_FLOOR, names.STUDENTS_CEILING, names.CAPACITY, names.ADAPTER_SLOTS,
    names.ACCURACY_BUDGET_LEFT,
)  # fmt: skip
"""What is dropped with an ensemble: a gauge would go on showing its last value, a counter just stands still."""


_COUNTERS: Final = (names.TOKENS, names.OFFERED_TOKENS, names.SHED)
"""What is shown as 0 before anybody asks: Prometheus takes no rate of what a series begins with, and the operator takes
no series for no knowledge."""


class Registry:
    """Call `apply` with each new plan; `publish` is called with what the engine is to do from now on."""

    def __init__(
        self, settings: Settings, loader: Loader, metrics: Metrics, *, publish: Callable[[Orders], None]
    ) -> None:
        self._settings, self._metrics, self._publish = settings, metrics, publish
        self._loader, self._bring_up = loader, BringUp(settings, loader, metrics)
        self.hosted: dict[str, Hosted] = {}
        self.trials: dict[str, Trial] = {}
        """Candidates, by the name of the ensemble whose place they may take."""
        self._refused: dict[str, EnsembleReport] = {}
        """Of candidates that could not be loaded alone, by ensemble."""
        self._planned: dict[str, Ensemble] = {}
        self.plan: Plan | None = None
        """This worker's part of the plan: for one without room for two, a candidate is the artifact."""
        self.plan_hash = ""

    def apply(self, plan_hash: PlanHash, plan: Plan) -> None:
        """Swap to a plan: its cuts hold from the next batch on, what it adds is loaded in the background."""
        self._loader.keep(plan)
        plan = self._own(plan)
        changes = difference(self.plan, plan)
        for name in changes.unload:
            self._unload(name)
        for ensemble in plan.ensembles:
            if ensemble.name in self.hosted:
                self.hosted[ensemble.name].want(ensemble)
        for ensemble in changes.load:
            if not self._promote(ensemble):
                self._load(ensemble)
        for name, tenant in changes.unload_adapters:
            self._drop_tenant(name, tenant)
        for name, adapter in changes.load_adapters:
            if (shelf := self.hosted[name].shelf) is not None:
                shelf.want(adapter)
        for hosted in self.hosted.values():
            self._refresh(hosted)
        for ensemble in plan.ensembles:
            self._try(ensemble)
            if self._waits_for_room(ensemble):
                self._load(ensemble)
        self.plan, self.plan_hash = plan, plan_hash
        self._metrics.plan(plan_hash)
        self._metrics.inc(names.PLAN_SWAPS)
        self._announce()

    def reports(self) -> tuple[tuple[EnsembleReport, ...], tuple[AdapterReport, ...]]:
        """Of all ensembles and candidates, and of the adapters that are not served."""
        hosted = list(self.hosted.values())
        trials = (trial.report(self.hosted[name].shelf) for name, trial in self.trials.items())
        ensembles = (*(h.report() for h in hosted), *trials, *self._refused.values())
        return ensembles, tuple(r for h in hosted for r in h.adapter_reports())

    def everyone(self) -> list[Hosted]:
        """Ensembles and candidates: all that share the device."""
        return [*self.hosted.values(), *(trial.hosted for trial in self.trials.values())]

    def close(self) -> None:
        """Stop loading."""
        for hosted in self.everyone():
            _stop(hosted)
        self._bring_up.close()

    def _refresh(self, hosted: Hosted) -> None:
        """Take over what needs no loading: the cut, and the tenants' weights, rates and keys."""
        if hosted.state is not LoadState.LOADING or hosted.shelf is not None:
            hosted.recut()
        outgrown = hosted.failure is not None and hosted.failure.reason is LoadReason.STUDENTS_OUT_OF_RANGE
        if hosted.shelf is None and outgrown and hosted.task is not None and hosted.task.done():
            self._load(hosted.spec)
        for adapter in hosted.spec.adapters:
            if hosted.shelf is not None and adapter.name in hosted.shelf.tenants:
                hosted.shelf.update(adapter)

    def _load(self, ensemble: Ensemble) -> None:
        hosted = self.hosted.get(ensemble.name)
        if hosted is None:
            hosted = self.hosted[ensemble.name] = Hosted(ensemble, ensemble.cut)
        if hosted.task is not None:
            hosted.task.cancel()
        if hosted.shelf is not None and hosted.shelf.model.digest == ensemble.artifact.digest:
            self._put(hosted, hosted.shelf)  # wherever it lies now, it is the same
            return
        hosted.state, hosted.failure = LoadState.LOADING, None
        goes = bool(ensemble.alone) and hosted.shelf is not None
        # One that has let go of its model answers nothing until it has one, whatever the plan has become meanwhile.
        hosted.leaving = goes or (hosted.leaving and hosted.shelf is None)
        hosted.task = _begin(hosted, partial(self._take_in_alone if goes else self._take_in, hosted))

    def _own(self, plan: Plan) -> Plan:
        """This worker's part of a plan."""
        self._planned = {each.name: each for each in plan.ensembles}
        wanted = {name: each.candidate.artifact.digest for name, each in self._planned.items() if each.candidate}
        self._refused = {name: r for name, r in self._refused.items() if r.wanted_digest == wanted.get(name)}
        own = (own_part(each, pod=self._settings.pod_name, refused=self._no(each.name)) for each in plan.ensembles)
        return msgspec.structs.replace(plan, ensembles=tuple(own))

    def _no(self, name: str) -> str:
        return self._refused[name].wanted_digest if name in self._refused else ""

    def _waits_for_room(self, ensemble: Ensemble) -> bool:
        """Whether what serves is in the way of what should, and may go now."""
        hosted = self.hosted[ensemble.name]
        serves = hosted.shelf.model.digest if hosted.shelf is not None else ensemble.artifact.digest
        return bool(ensemble.alone) and serves != ensemble.artifact.digest and not hosted.leaving

    async def _take_in_alone(self, hosted: Hosted) -> None:
        """Let go of the old model, then load the new one; if that fails, the old one again."""
        name = hosted.spec.name
        await make_room(hosted, self._settings, announce=self._announce)
        planned = self._planned[name]
        stays = planned.artifact == hosted.spec.artifact
        shelf = await self._bring_up.ensemble(hosted, once=not stays)
        if shelf is None and not stays:
            self._refused[name] = msgspec.structs.replace(hosted.report(), name=candidate_name(name))
            assert self.plan is not None
            self.plan = self._own(
                msgspec.structs.replace(self.plan, ensembles=tuple(self._planned[e.name] for e in self.plan.ensembles))
            )
            hosted.want(next(each for each in self.plan.ensembles if each.name == name))
            hosted.state, hosted.failure = LoadState.LOADING, None
            shelf = await self._bring_up.ensemble(hosted)
        if shelf is not None:
            self._put(hosted, shelf)

    def _try(self, ensemble: Ensemble) -> None:
        """Load a candidate that is new, let go of one that is not wanted, and tell one that stays what changed."""
        trial, candidate = self.trials.get(ensemble.name), ensemble.candidate
        if trial is not None and (candidate is None or _starts_anew(trial, candidate)):
            self._let_go(ensemble.name)
            trial = None
        if candidate is None:
            return
        if trial is None:
            trial = self.trials[ensemble.name] = Trial.of(ensemble, candidate)
            load = partial(self._take_in, trial.hosted, after=self.hosted[ensemble.name])
            trial.hosted.task = _begin(trial.hosted, load)
            return
        trial.share = candidate.share
        trial.hosted.want(as_ensemble(ensemble, candidate))
        trial.hosted.recut()
        if trial.shelf is not None:
            trial.shelf.match(ensemble.adapters)

    def _promote(self, ensemble: Ensemble) -> bool:
        """Put the ensemble's warm candidate in its place, if that is what the plan wants now. Nothing is loaded again,
        and what the engine holds for the old model is answered by it."""
        trial = self.trials.get(ensemble.name)
        if trial is None or trial.shelf is None or trial.hosted.spec.artifact != ensemble.artifact:
            return False
        hosted = self.hosted[ensemble.name]
        if hosted.task is not None:
            hosted.task.cancel()
        shelf, trial.hosted.shelf = trial.shelf, None
        shelf.model = shelf.model.renamed(ensemble.name)
        before = hosted.served(shelf)
        shelf.match(ensemble.adapters)
        if before is not None:
            before.close()
        self._let_go(ensemble.name)
        return True

    def _let_go(self, name: str) -> None:
        trial = self.trials.pop(name)
        _stop(trial.hosted)
        for gauge in _GAUGES:
            self._metrics.forget(gauge, trial.hosted.spec.name)

    async def _take_in(self, hosted: Hosted, *, after: Hosted | None = None) -> None:
        """Load, then swap: the old model goes on until the new one can answer for all of its tenants. A candidate waits
        until what serves has been tried, so that it delays no start."""
        if after is not None:
            await after.attempted.wait()
        shelf = await self._bring_up.ensemble(hosted)
        if shelf is not None:
            self._put(hosted, shelf)

    def _put(self, hosted: Hosted, shelf: Shelf) -> None:
        """Put a loaded model in charge."""
        before, hosted.leaving = hosted.served(shelf), False
        shelf.match(hosted.spec.adapters)
        if before is not None and before is not shelf:
            before.close()
        self._announce()

    def _drop_tenant(self, ensemble: str, tenant: str) -> None:
        hosted = self.hosted[ensemble]
        hosted.admission.forget(tenant)
        if hosted.shelf is not None and tenant in hosted.shelf.tenants:
            hosted.shelf.drop(tenant)

    def _unload(self, name: str) -> None:
        if name in self.trials:
            self._let_go(name)
        _stop(self.hosted.pop(name))
        for gauge in _GAUGES:
            self._metrics.forget(gauge, name)

    def _announce(self) -> None:
        """Tell the engine, and show the bounds."""
        serving = [(hosted, hosted.shelf.model) for hosted in self.everyone() if hosted.shelf is not None]
        candidates = {hosted.spec.name for hosted in self.everyone()} - self.hosted.keys()
        for hosted, model in serving:
            for counter in _COUNTERS:
                self._metrics.inc(counter, model.name, by=0)
            bounds = bounds_of(hosted.cut, model.students)
            self._metrics.set(names.STUDENTS_FLOOR, model.name, to=bounds.floor)
            self._metrics.set(names.STUDENTS_CEILING, model.name, to=bounds.ceiling)
        self._publish(
            Orders(
                plan=self.plan_hash,
                objective_s=self.plan.objective_p99_s if self.plan else 1.0,
                cuts={model.name: hosted.cut for hosted, model in serving},
                models=tuple(model for _, model in serving if model.name not in candidates),
                candidates=tuple(model for _, model in serving if model.name in candidates),
            )
        )


def _starts_anew(trial: Trial, candidate: Candidate) -> bool:
    """Whether there is another artifact to load, or another try with one that was given up under another cut."""
    spec, task = trial.hosted.spec, trial.hosted.task
    given_up = trial.shelf is None and task is not None and task.done()
    return candidate.artifact != spec.artifact or (given_up and candidate.cut != spec.cut)


def _begin(hosted: Hosted, load: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Load in the background; however that ends, it is told."""
    name = hosted.spec.name
    return asyncio.create_task(told(load, what=name, on_failure=hosted.failed), name=f"load {name}")


def _stop(hosted: Hosted) -> None:
    """End what it loads."""
    if hosted.task is not None:
        hosted.task.cancel()
    if hosted.shelf is not None:
        hosted.shelf.close()
