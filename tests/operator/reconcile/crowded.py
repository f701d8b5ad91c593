"""A pool whose workers have room for one artifact of each ensemble, in virtual time: what they do with plans that they
read late, in any order, and what an operator sees of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from phalanx_contract.plan import Artifact, Candidate, Ensemble, Plan, candidate_name, hash_plan
from phalanx_contract.revisions import PLAN_REVISION
from phalanx_contract.worker import EnsembleReport, LoadReason, LoadState, WorkerStatus
from phalanx_operator.api.parse import parse_ensemble, parse_pool
from phalanx_operator.api.types import Canary
from phalanx_operator.decide.rolledout import rollout_status
from phalanx_operator.decide.types import RolloutState, Stage, WorkerView
from phalanx_operator.reconcile.memory import PoolMemory
from phalanx_operator.reconcile.orphans import iso
from phalanx_operator.reconcile.rolling import Rolled, changing, decide_rollouts, remember_rollouts
from tests.operator import objects

DEADLINE_S = 60


def artifact(letter: str) -> Artifact:
    """`f` is one that no worker can load."""
    return Artifact(uri=f"file:///models/{letter}", digest=f"sha256:{letter * 64}")


BROKEN = artifact("f")


@dataclass(slots=True)
class Slot:
    """One ensemble in one worker: what answers, what is to, and how far that is."""

    held: Artifact | None
    wanted: Artifact
    alone: bool = False
    leaving: bool = False
    refused: Artifact | None = None
    beside: Artifact | None = None

    def want(self, planned: Ensemble, pod: str) -> None:
        """As `phalanx_server.serving.alone.own_part` reads it."""
        named, candidate = pod in planned.alone, planned.candidate and planned.candidate.artifact
        if self.refused is not None and self.refused != candidate:
            self.refused = None
        over = named and candidate is not None and candidate != self.refused
        self.beside = None if over or candidate is None else candidate
        self.wanted = candidate if over and candidate is not None else planned.artifact
        self.alone = named and (over or candidate is None)
        self.leaving = self.held != self.wanted and self.alone and (self.held is not None or self.leaving)

    def step(self) -> None:
        """Let go, or load, or fail and take the old one back."""
        if self.held == self.wanted:
            self.leaving = False
        elif self.held is not None and self.leaving:
            self.held = None
        elif self.held is None and self.wanted != BROKEN:
            self.held, self.leaving = self.wanted, False
        elif self.held is None:
            self.refused = self.wanted

    def reports(self, name: str, planned: Ensemble) -> list[EnsembleReport]:
        beside = candidate_name(name)
        own = self._report(name)
        if self.refused is not None and planned.candidate is not None:
            failed = LoadReason.ARTIFACT_CORRUPT
            return [
                own,
                EnsembleReport(name=beside, wanted_digest=BROKEN.digest, state=LoadState.FAILED, reason=failed),
            ]
        if self.beside is None:
            return [own]
        full = LoadReason.OUT_OF_MEMORY
        return [own, EnsembleReport(name=beside, wanted_digest=self.beside.digest, state=LoadState.FAILED, reason=full)]

    def _report(self, name: str) -> EnsembleReport:
        digest = self.held.digest if self.held is not None else ""
        state, reason = LoadState.SERVING, LoadReason.NONE
        if self.held is None or self.leaving:
            state = LoadState.LOADING
        elif self.held != self.wanted:
            state, reason = LoadState.FAILED, LoadReason.OUT_OF_MEMORY
        students = 4 if digest else 0
        return EnsembleReport(
            name=name, wanted_digest=self.wanted.digest, digest=digest, state=state, reason=reason, students=students
        )


@dataclass(slots=True)
class Pod:
    """A worker, and what its pod's condition says of it, which may be of before."""

    name: str
    plan: Plan
    slots: dict[str, Slot]
    seen_ready: bool = True

    @property
    def ready(self) -> bool:
        return not any(slot.leaving for slot in self.slots.values())

    def serves(self, name: str) -> bool:
        return self.ready and self.slots[name].held is not None

    def read(self, plan: Plan) -> None:
        self.plan = plan
        for each in plan.ensembles:
            self.slots[each.name].want(each, self.name)
            if self.slots[each.name].refused is not None:
                self.slots[each.name].wanted = each.artifact

    def step(self) -> None:
        for each in self.plan.ensembles:
            slot = self.slots[each.name]
            slot.step()
            if slot.refused is not None and slot.held is None:
                slot.wanted = each.artifact

    def be_seen(self) -> None:
        self.seen_ready = self.ready

    def view(self) -> WorkerView:
        reports = (report for e in self.plan.ensembles for report in self.slots[e.name].reports(e.name, e))
        report = WorkerStatus(
            plan=hash_plan(self.plan), plan_revision=PLAN_REVISION, ready=self.ready, ensembles=tuple(reports)
        )
        return WorkerView(name=self.name, ready=self.seen_ready, report=report)


@dataclass(slots=True)
class Crowd:
    """The pool, its operator, and what was written."""

    pods: list[Pod]
    specs: dict[str, Any]
    plan: Plan
    live: int
    now: float = 1_000.0
    memory: PoolMemory = field(default_factory=PoolMemory)
    statuses: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *names: str, workers: int) -> Crowd:
        old = artifact("a")
        plan = Plan(
            namespace="ml",
            pool="gpus",
            objective_p99_s=1.0,
            ensembles=tuple(Ensemble(name=name, artifact=old) for name in names),
        )
        pods = [Pod(f"w-{count}", plan, {name: Slot(old, old) for name in names}) for count in range(workers)]
        crowd = cls(pods, {name: _spec(name, old) for name in names}, plan, workers)
        crowd.round()
        return crowd

    def spec(self, name: str, wanted: Artifact) -> None:
        before = self.specs[name]
        meta = replace(before.meta, generation=before.meta.generation + 1)
        self.specs[name] = replace(before, source=wanted, meta=meta)

    def restart(self) -> None:
        self.memory = PoolMemory()

    def views(self) -> list[WorkerView]:
        return [pod.view() for pod in self.pods]

    def round(
        self, views: list[WorkerView] | None = None, *, fewer: bool = False, told: bool = True
    ) -> dict[str, Rolled]:
        """One round, with what was seen before if that is given; `fewer` workers are wanted if that is possible now,
        and if not `told` it dies after the plan."""
        views = self.views() if views is None else views
        manifests = [{"metadata": {"name": name}, "status": self.statuses.get(name)} for name in self.specs]
        remember_rollouts(manifests, self.plan, self.memory)
        if not self.memory.plans:
            self.memory.keep(hash_plan(self.plan), self.plan)
        rolled = decide_rollouts(POOL, _accepted(self.specs), views, self.memory, live=self.live, now=self.now)
        if fewer and self.live > 2 and not changing(rolled, views):
            self.live -= 1
        self.memory.replicas = replace(self.memory.replicas, count=self.live)
        self.plan = replace_ensembles(self.plan, rolled)
        self.memory.keep(hash_plan(self.plan), self.plan)
        if told:
            self.statuses = {name: _status(each) for name, each in rolled.items()}
        else:
            self.restart()
        return rolled

    def delete_one(self, which: int) -> None:
        """As a ReplicaSet does: those that are not ready first."""
        if len(self.pods) > self.live:
            unready = [pod for pod in self.pods if not pod.seen_ready]
            among = unready or self.pods
            self.pods.remove(among[which % len(among)])

    @property
    def unserved(self) -> list[str]:
        return [name for name in self.specs if not any(pod.serves(name) for pod in self.pods)]

    @property
    def states(self) -> dict[str, RolloutState]:
        return self.memory.rollouts

    def settled(self) -> bool:
        return all(
            state.stage in (Stage.SERVING, Stage.ROLLED_BACK)
            and all(pod.slots[name].held == state.serving for pod in self.pods)
            for name, state in self.states.items()
        )


POOL = parse_pool(objects.pool(replicas={"min": 1, "max": 9}))


def replace_ensembles(plan: Plan, rolled: dict[str, Rolled]) -> Plan:
    """The plan with what was decided."""
    ensembles = []
    for name, each in rolled.items():
        state = each.state
        assert state.serving is not None
        candidate = None if state.candidate is None else Candidate(artifact=state.candidate)
        ensembles.append(Ensemble(name=name, artifact=state.serving, candidate=candidate, alone=state.alone))
    return Plan(
        namespace=plan.namespace, pool=plan.pool, objective_p99_s=plan.objective_p99_s, ensembles=tuple(ensembles)
    )


def _spec(name: str, wanted: Artifact) -> Any:
    obj = objects.ensemble(
        artifact={"uri": wanted.uri, "digest": wanted.digest}, rollout={"progressDeadlineSeconds": DEADLINE_S}
    )
    obj["metadata"] = {**obj["metadata"], "name": name}
    return parse_ensemble(obj)


def _accepted(specs: dict[str, Any]) -> Any:
    return SimpleNamespace(served=list(specs.values()), withheld={})


def _status(rolled: Rolled) -> dict[str, Any]:
    state = rolled.state
    return {"rollout": rollout_status(state, rolled.sight, Canary(), since=iso(state.since))}
