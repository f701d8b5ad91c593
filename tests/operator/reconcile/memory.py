"""A cluster in memory: what was written is what is read. Pods are whatever a test puts in."""

from __future__ import annotations

import base64
import copy
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from phalanx_contract.plan import Artifact, Ensemble, candidate_name
from phalanx_contract.revisions import PLAN_REVISION
from phalanx_contract.wire import unpack
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.errors import ClusterError
from phalanx_operator.observe.store import Ref, Store, ref_of
from phalanx_operator.reconcile.ports import Note
from phalanx_operator.reconcile.resume import served_plan
from tests.operator.observe.workers import FakeWorker

POOL = Key("default", "gpus")


class DeniedError(ClusterError):
    """What an admission policy says."""

    refused = True


class MemoryCluster:
    """Counts every write; `refuse` makes writes of one kind fail, `deny` has them refused for good."""

    def __init__(self, *objects: Manifest) -> None:
        self.store = Store()
        self.live = Store()
        self.workers: list[FakeWorker] = []
        self.writes: list[str] = []
        self.distillers: list[Manifest] = []
        self.touched: dict[str, str] = {}
        self.notes: list[tuple[str, Note]] = []
        self.unschedulable: dict[str, str] = {}
        """What the scheduler says of pods that no node takes."""
        self.broken: dict[str, str] = {}
        """Why workers cannot load an artifact, by digest."""
        self.crowded = False
        """Whether workers have no room for a second artifact."""
        self.compared: dict[str, float] = {}
        """What the answers of candidates are worth."""
        self.refuse: set[str] = set()
        self.deny: set[str] = set()
        for obj in objects:
            self.put(obj)

    def put(self, obj: Manifest) -> None:
        """What a user does; a new spec is a new generation."""
        before = self.store.get(ref_of(obj))
        generation = before["metadata"]["generation"] + 1 if before else 1
        name = obj["metadata"]["name"]
        meta = {"namespace": "default", "uid": f"uid-{name}", **obj["metadata"], "generation": generation}
        status = {"status": before["status"]} if before and "status" in before else {}
        self.store.put({**copy.deepcopy(obj), "metadata": meta, **status})

    def status(self, kind: str, name: str) -> dict[str, Any]:
        obj = self.store.get(Ref(kind, Key("default", name)))
        assert obj is not None
        return dict(obj.get("status") or {})

    def condition(self, kind: str, name: str, wanted: str) -> tuple[str, str, str]:
        """Status, reason and message."""
        found = next(each for each in self.status(kind, name)["conditions"] if each["type"] == wanted)
        return found["status"], found["reason"], found["message"]

    @property
    def plan(self) -> Any:
        served = served_plan(self.live.all_of("ConfigMap"))
        assert served is not None
        return served[1]

    def serve(self) -> None:
        """Every worker takes over the plan that is in the ConfigMaps, and has artifacts of three students."""
        plan_hash, plan = unpack(_files(self.live.all_of("ConfigMap")))
        for worker in self.workers:
            ensembles = [
                _report(name, artifact, self._trouble(artifact, alone=name == each.name), self.compared)
                for each in (_own_part(each, worker.name) for each in plan.ensembles)
                for name, artifact in [
                    (each.name, each.artifact),
                    *([(candidate_name(each.name), each.candidate.artifact)] if each.candidate else []),
                ]
            ]
            worker.status = {"plan": plan_hash, "plan_revision": PLAN_REVISION, "ready": True, "ensembles": ensembles}

    def _trouble(self, artifact: Artifact, *, alone: bool) -> str:
        return self.broken.get(artifact.digest) or ("OutOfMemory" if self.crowded and not alone else "")

    async def children(self, pool: Key) -> list[Manifest]:
        kinds = ("ServiceAccount", "ConfigMap", "NetworkPolicy", "Deployment", "Service", "PodDisruptionBudget", "Job")
        return [child for kind in kinds for child in self.live.all_of(kind, pool.namespace)]

    async def jobs(self) -> list[Manifest]:
        return self.live.all_of("Job")

    async def pods(self, pool: Key) -> list[Manifest]:
        return [
            *(
                _pod(worker, self.touched.get(worker.name), unschedulable=self.unschedulable.get(worker.name, ""))
                for worker in self.workers
            ),
            *self.distillers,
        ]

    async def secrets(self, namespace: str, names: Collection[str], *, fresh: bool = False) -> Mapping[str, Manifest]:
        return self._named("Secret", namespace, names)

    async def config_maps(
        self, namespace: str, names: Collection[str], *, fresh: bool = False
    ) -> Mapping[str, Manifest]:
        return self._named("ConfigMap", namespace, names)

    def _named(self, kind: str, namespace: str, names: Collection[str]) -> dict[str, Manifest]:
        if kind in self.refuse:
            raise ClusterError(f"{kind}: refused")
        found = ((name, self.store.get(Ref(kind, Key(namespace, name)))) for name in names)
        return {name: obj for name, obj in found if obj is not None}

    async def apply(self, manifest: Manifest) -> None:
        self._write(f"apply {manifest['kind']}", manifest["kind"])
        self.live.put(copy.deepcopy(manifest))

    async def delete(self, obj: Manifest) -> None:
        self._write(f"delete {obj['kind']} {obj['metadata']['name']}", obj["kind"])
        self.live.remove(ref_of(obj))

    async def touch_plan(self, pod: Key, plan_hash: str) -> None:
        self._write(f"touch {pod.name}", "Pod")
        self.touched[pod.name] = plan_hash

    async def write_status(self, obj: Manifest, status: Manifest) -> None:
        self._write(f"status {obj['metadata']['name']}", "status")
        self.store.put({**obj, "status": status})

    async def record(self, obj: Manifest, note: Note) -> None:
        self._write(f"event {obj['metadata']['name']} {note.reason}", "Event")
        self.notes.append((obj["metadata"]["name"], note))

    def _write(self, what: str, kind: str) -> None:
        if kind in self.deny:
            self.writes.append(f"denied {kind}")
            raise DeniedError(f"{kind}: a policy forbids it")
        if kind in self.refuse:
            raise ClusterError(f"{what}: refused")
        self.writes.append(what)


def _own_part(ensemble: Ensemble, worker: str) -> Ensemble:
    """What a worker that has no room for two makes of its candidate."""
    if worker not in ensemble.alone or ensemble.candidate is None:
        return ensemble
    return msgspec.structs.replace(ensemble, artifact=ensemble.candidate.artifact, candidate=None)


def _report(name: str, artifact: Artifact, reason: str, compared: dict[str, float]) -> dict[str, Any]:
    """A worker's on one artifact."""
    report = {"name": name, "wanted_digest": artifact.digest, "state": "Serving", "compared": compared or None}
    if reason:
        return report | {"state": "Failed", "reason": reason, "message": "a file is not what it should be"}
    facts = {"students": 3, "rows": 2, "ramps": 1, "agreement": [0.98, 0.99, 1.0]}
    return report | facts | {"digest": artifact.digest}


def _pod(worker: FakeWorker, plan: str | None, *, unschedulable: str = "") -> Manifest:
    if unschedulable:
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
        return {
            "metadata": {"name": worker.name, "namespace": "default"},
            "spec": {"containers": [{"name": "worker"}]},
            "status": {"phase": "Pending", "conditions": [waits]},
        }
    return {
        "metadata": {"name": worker.name, "namespace": "default", "annotations": {"phalanx.dev/plan": plan}},
        "spec": {"containers": [{"name": "worker", "ports": [{"name": "http", "containerPort": worker.port}]}]},
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _files(config_maps: list[Manifest]) -> dict[str, bytes]:
    return {
        name: base64.b64decode(content)
        for config_map in config_maps
        for name, content in config_map["binaryData"].items()
    }
