"""One round of one pool.

    gather -> accept -> distil -> observe -> decide -> compose -> build -> write -> report

Every step before `write` only reads. A resource that is refused is left out of the plan and told so; the others
go on. A round that fails half-way is simply done again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import aiohttp

from phalanx_contract.plan import ApiKey, Plan, PlanHash
from phalanx_contract.wire import pack
from phalanx_contract.worker import LoadState
from phalanx_operator.api.types import Key, Manifest, ServingPool
from phalanx_operator.build import Versions, build_pool
from phalanx_operator.decide.demand import with_candidates
from phalanx_operator.decide.plan import compose_plan
from phalanx_operator.decide.surge import decide_surge, in_force
from phalanx_operator.decide.types import Decision, ReplicasState, WorkerView
from phalanx_operator.decide.understanding import NOTHING, for_all, learn
from phalanx_operator.decide.view import PoolView
from phalanx_operator.observe.distillers import progress_of
from phalanx_operator.observe.targets import Target, targets
from phalanx_operator.observe.workers import worker_statuses
from phalanx_operator.reconcile import keys
from phalanx_operator.reconcile.accepting import Accepted, accept
from phalanx_operator.reconcile.deciding import Decided, decide_cuts, remember
from phalanx_operator.reconcile.distilling import JOB, Distilled, Seen, distil
from phalanx_operator.reconcile.gather import Gathered, gather
from phalanx_operator.reconcile.memory import PoolMemory
from phalanx_operator.reconcile.observing import observe
from phalanx_operator.reconcile.ports import Clock, Cluster
from phalanx_operator.reconcile.replicas import decide_count, live_count, written
from phalanx_operator.reconcile.reporting import publish
from phalanx_operator.reconcile.resume import served_plan
from phalanx_operator.reconcile.rolling import Rolled, as_served, changing, decide_rollouts, proven, remember_rollouts
from phalanx_operator.reconcile.statuses import Round, reports, reports_of_bad_pool
from phalanx_operator.reconcile.workers import deployed_of, worker_views
from phalanx_operator.reconcile.writing import delete_all, touch_pods, write_children

logger = logging.getLogger(__name__)

UNSETTLED_S: Final = 1.0
"""How soon to look again while workers start or do not serve the current plan yet."""
ROLLING_S: Final = 10.0
"""How soon to look again while a new artifact is on its way: it has a deadline."""
PROGRESS_S: Final = 10.0
"""How soon to look again while something is distilled."""
QUIET_S: Final = 60.0
"""How soon to look again where no worker could answer: an event comes first if one starts."""
GONE_S: Final = 3600.0
"""A pool that does not exist needs no rounds; its next event wakes the task."""


class Reconciler:
    """Rounds for all pools of one cluster. It remembers nothing that a restart could not find out again."""

    def __init__(self, cluster: Cluster, *, session: aiohttp.ClientSession, clock: Clock, versions: Versions) -> None:
        self._cluster = cluster
        self._session = session
        self._clock = clock
        self._versions = versions
        self._memories: dict[Key, PoolMemory] = {}

    def __repr__(self) -> str:
        return f"<Reconciler of {len(self._memories)} pools>"

    def forget(self, key: Key) -> None:
        """The pool is gone."""
        self._memories.pop(key, None)

    async def round(self, key: Key) -> float:
        """Do one round; returns after how many seconds the next is due. Raises ClusterError."""
        gathered = await gather(self._cluster, key)
        if gathered is None:
            self.forget(key)
            return GONE_S
        api_keys = keys.api_keys(gathered.secrets)
        memory = self._memories.setdefault(key, PoolMemory())
        planned = _planned(gathered, memory)
        remember_rollouts(gathered.ensembles, planned[1] if planned else None, memory)
        if planned is not None and not memory.plans:
            memory.keep(*planned)
        serving = proven(memory)
        accepted = accept(gathered, api_keys, self._versions, memory.kept.readings, serving=serving)
        if accepted.pool is None:
            await publish(self._cluster, reports_of_bad_pool(gathered, accepted, now=self._clock()))
            return GONE_S
        distilled = await self._distil(gathered, accepted, accepted.pool, memory)
        view = await self._serve(gathered, distilled, accepted.pool, api_keys, memory)
        others_s = [max(UNSETTLED_S, each.due_s(now=self._clock())) for each in memory.refused.values()]
        others_s += [ROLLING_S] if any(each.candidate for each in memory.rollouts.values()) else []
        others_s += [PROGRESS_S] if distilled.running else []
        return min([_next_s(view, targets(gathered.pods), accepted.pool.metrics.interval_s), *others_s])

    async def _distil(self, gathered: Gathered, accepted: Accepted, pool: ServingPool, memory: PoolMemory) -> Distilled:
        planned = _planned(gathered, memory)
        seen = Seen(
            planned[1] if planned else None,
            await progress_of(self._session, targets(gathered.distillers)),
            memory.refused,
            self._clock(),
        )
        return distil(gathered, accepted, pool, seen, versions=self._versions)

    async def _serve(
        self,
        gathered: Gathered,
        distilled: Distilled,
        pool: ServingPool,
        api_keys: Mapping[str, ApiKey],
        memory: PoolMemory,
    ) -> PoolView:
        """The round of a pool whose spec is valid, once every ensemble's artifact is known."""
        accepted = distilled.accepted
        workers = await self._workers(gathered)
        addresses = targets(gathered.pods)
        seen = await observe(self._cluster, self._session, pool, addresses, memory, now=self._clock())
        observation = with_candidates(seen)
        now = self._clock()
        remember(gathered.ensembles, memory, now=now)
        deployment = gathered.child("Deployment", pool.meta.key.name)
        rolled = decide_rollouts(pool, accepted, workers, memory, live=live_count(deployment), now=now)
        served = [as_served(each, rolled[each.meta.key.name].state) for each in accepted.served]
        decided = decide_cuts(pool, served, workers, observation, memory, now=now)
        tenants = keys.by_adapter(list(accepted.adapters.values()), api_keys)
        memory.revisions = learn(workers, memory.revisions)
        plan = _compose(pool, accepted, decided, rolled, tenants, memory)
        away = changing(rolled, workers)
        replicas = decide_count(pool, deployment, workers, decided, observation, memory, changing=away, now=now)
        surge = decide_surge(
            pool.rollout,
            deployment=deployment,
            workers=workers,
            deployed=deployed_of(deployment),
            wanted=replicas.state.count,
            state=memory.surge,
            now=now,
        )
        memory.surge = surge.state
        view = await self._act(gathered, pool, distilled, plan, replicas, workers, memory)
        # Tenants are many, and what is said of them follows from these alone.
        told = (view, accepted.adapters, accepted.adapter_verdicts, gathered.adapters)
        refusals = [each.text for ref, each in memory.refused.items() if each.lasts and ref.kind != JOB]
        done = Round(gathered, accepted, view, decided, rolled, replicas, observation, now, refusals, distilled, surge)
        await publish(self._cluster, reports(done, adapters=told != memory.kept.told))
        memory.kept.told = told
        return view

    async def _workers(self, gathered: Gathered) -> list[WorkerView]:
        answers = await worker_statuses(self._session, targets(gathered.pods))
        return worker_views(gathered.pods, answers, now=self._clock())

    async def _act(
        self,
        gathered: Gathered,
        pool: ServingPool,
        distilled: Distilled,
        plan: Plan,
        replicas: Decision[ReplicasState],
        workers: list[WorkerView],
        memory: PoolMemory,
    ) -> PoolView:
        """Deliver the plan, unless the pool is paused: then the one that is there stays the current one."""
        kept = memory.kept
        plan, withheld = kept.worded.of((plan, memory.revisions), partial(for_all, plan, memory.revisions))
        plan_hash, files = kept.packed.of((plan,), lambda: pack(plan))
        served = _planned(gathered, memory)
        if served is not None:
            memory.keep(*served)
        if pool.paused:
            memory.refused.clear()
            plan_hash, plan = served or (plan_hash, plan)
            withheld = NOTHING
        else:
            count = written(pool, gathered.child("Deployment", pool.meta.key.name), replicas)
            built = replace(pool, rollout=in_force(pool.rollout, memory.surge))
            wanted = kept.children.of((built, plan_hash, count), lambda: self._build(built, files, plan_hash, count))
            memory.keep(plan_hash, plan)  # also if the answer is lost, workers may read it
            await write_children(self._cluster, gathered, [*wanted, *distilled.make], memory, now=self._clock())
            await delete_all(self._cluster, distilled.drop)
            await touch_pods(self._cluster, gathered.pods, workers, plan_hash)
        deployed = deployed_of(gathered.child("Deployment", pool.meta.key.name))
        return kept.view.of(
            (replicas.state.count, workers, plan_hash, list(memory.plans), deployed, withheld),
            lambda: PoolView.of(
                wanted=replicas.state.count,
                workers=workers,
                plan=plan,
                plan_hash=plan_hash,
                recent=memory.plans,
                deployed=deployed,
                withheld=withheld,
            ),
        )

    def _build(
        self, pool: ServingPool, files: Sequence[Mapping[str, bytes]], plan_hash: PlanHash, count: int | None
    ) -> list[Manifest]:
        return build_pool(pool, plan_files=files, plan_hash=plan_hash, replicas=count, versions=self._versions)


def _planned(gathered: Gathered, memory: PoolMemory) -> tuple[PlanHash, Plan] | None:
    """The plan that is in the pool's ConfigMaps."""
    config_maps = [child for child in gathered.children if child["kind"] == "ConfigMap"]
    return memory.kept.served.of(config_maps, lambda: served_plan(config_maps))


def _compose(
    pool: ServingPool,
    accepted: Accepted,
    decided: Mapping[str, Decided],
    rolled: Mapping[str, Rolled],
    api_keys: Mapping[str, ApiKey],
    memory: PoolMemory,
) -> Plan:
    rollouts = {name: each.state for name, each in rolled.items()}
    cuts = {name: each.cut for name, each in decided.items()}
    ensembles, adapters = accepted.ensembles, accepted.adapters
    verdicts, adapter_verdicts = accepted.verdicts, accepted.adapter_verdicts
    return memory.kept.plan.of(
        (pool, ensembles, adapters, verdicts, adapter_verdicts, cuts, rollouts, api_keys),
        lambda: compose_plan(
            pool,
            ensembles=ensembles.values(),
            adapters=adapters.values(),
            verdicts=verdicts,
            adapter_verdicts=adapter_verdicts,
            cuts=cuts,
            rollouts=rollouts,
            api_keys=api_keys,
        ),
    )


def _next_s(view: PoolView, addresses: Sequence[Target], interval_s: float) -> float:
    """When the next round is due though nothing changes."""
    if not addresses:
        return max(QUIET_S, interval_s)
    return interval_s if _settled(view) else min(UNSETTLED_S, interval_s)


def _settled(view: PoolView) -> bool:
    """All wanted workers are ready, serve the current plan, and are done with loading."""
    ready = view.ready_workers()
    return (
        len(ready) == len(view.workers) == view.wanted
        and all(worker.report is not None and worker.report.plan == view.plan_hash for worker in ready)
        and not any(_loads(worker) for worker in ready)
    )


def _loads(worker: WorkerView) -> bool:
    if worker.report is None:
        return True
    states = [each.state for each in worker.report.ensembles] + [each.state for each in worker.report.adapters]
    return LoadState.LOADING in states
