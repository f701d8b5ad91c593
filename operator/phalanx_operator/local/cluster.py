"""The cluster of local mode: dictionaries for the API server, processes for the pods."""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from phalanx_contract.runtime import ANNOTATION_PLAN
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import LABEL_POOL
from phalanx_operator.local.jobs import LocalJobs
from phalanx_operator.local.proxy import Address
from phalanx_operator.local.runner import ProcessRunner
from phalanx_operator.local.volumes import Contents
from phalanx_operator.local.workload import HOST, Workload, contents_of
from phalanx_operator.observe.store import Ref, Store, ref_of, selected
from phalanx_operator.reconcile.feed import Feed, Mark
from phalanx_operator.reconcile.ports import Note

logger = logging.getLogger(__name__)

_KINDS: Final = ("ServingPool", "StudentEnsemble", "TenantAdapter", "Secret", "ConfigMap")

Tell = Callable[[Manifest, Note], None]


class LocalCluster:
    """Implements `reconcile.ports.Cluster`. `mark` is called when something about a pool changed."""

    def __init__(self, runner: ProcessRunner, *, claims: Mapping[str, Path], tell: Tell) -> None:
        self.store = Store()
        self.mark: Mark = lambda _: None
        self.workloads: dict[Key, Workload] = {}
        self._children = Store()
        self._jobs = LocalJobs(runner, show=self._shown_to, changed=self._job_changed)
        self._runner = runner
        self._claims = claims
        self._tell = tell
        self._versions = itertools.count(1)
        self._touched: dict[Key, str] = {}
        self._syncs: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<LocalCluster {self.store} {len(self.workloads)} workloads>"

    def write(self, wanted: Collection[Manifest]) -> int:
        """Make these all the resources there are; returns how many were new, changed or removed."""
        feed = Feed(self.store, self.mark)
        refs = {ref_of(obj) for obj in wanted}
        known = {ref_of(obj) for kind in _KINDS for obj in self.store.all_of(kind)}
        for ref in known - refs:
            feed.remove(ref)
        # Pools first, so that what names them finds them.
        changed = [new for obj in sorted(wanted, key=_order) if (new := self._version(obj)) is not None]
        for obj in changed:
            feed.put(obj)
        for obj in changed:
            feed.mark(obj)
        return len(changed) + len(known - refs)

    def _version(self, obj: Manifest) -> Manifest | None:
        """The object as the store takes it, its spec's change a new generation; None if it is as before."""
        before = self.store.get(ref_of(obj))
        if before is None:
            meta = {"uid": str(uuid.uuid4()), "generation": 1}
        elif all(before.get(key) == obj.get(key) for key in ("spec", "data")):
            return None
        else:
            meta = {"uid": before["metadata"]["uid"], "generation": before["metadata"]["generation"] + 1}
        metadata = {**obj["metadata"], **meta, "resourceVersion": str(next(self._versions))}
        status = {"status": before["status"]} if before and "status" in before else {}
        return {**obj, "metadata": metadata, **status}

    async def open_front(self, pool: Key, *, port: int) -> Address:
        """Listen where the pool's clients will connect. Raises OSError if the port is taken."""
        return await self._workload(pool).proxy.start(host=HOST, port=port)

    async def sync(self) -> None:
        """Try again what could not be started."""
        await asyncio.gather(*(workload.sync() for workload in self.workloads.values()))

    async def close_pool(self, pool: Key, *, grace_s: float | None = None) -> None:
        """End everything that was made for a pool."""
        await self._jobs.close_pool(pool, grace_s=grace_s)
        workload = self.workloads.pop(pool, None)
        if workload is not None:
            await workload.stop(grace_s=grace_s)
        for child in self._applied(pool):
            self._children.remove(ref_of(child))

    async def close(self, *, grace_s: float | None = None) -> None:
        """End everything; what happens to pods from now on is no reason for a round."""
        self.mark = lambda _: None
        await asyncio.gather(*(self.close_pool(key, grace_s=grace_s) for key in list(self.workloads)))
        for task in self._syncs:
            task.cancel()
        await asyncio.gather(*self._syncs, return_exceptions=True)

    async def children(self, pool: Key) -> list[Manifest]:
        """What was applied for the pool, and its ensembles' Jobs."""
        return [*self._applied(pool), *self._jobs.of(pool)]

    async def jobs(self) -> list[Manifest]:
        """All that were begun and not deleted."""
        return self._jobs.all()

    def _applied(self, pool: Key) -> list[Manifest]:
        kinds = ("ServiceAccount", "ConfigMap", "NetworkPolicy", "Deployment", "Service", "PodDisruptionBudget")
        found = [child for kind in kinds for child in self._children.all_of(kind, pool.namespace)]
        return selected(found, {LABEL_POOL: pool.name})

    async def pods(self, pool: Key) -> list[Manifest]:
        """The pods, with the annotations that they were touched with."""
        pods = self.workloads[pool].pods() if pool in self.workloads else []
        for pod in pods:
            plan = self._touched.get(Key(pod["metadata"]["namespace"], pod["metadata"]["name"]))
            if plan is not None:
                annotations = {**pod["metadata"].get("annotations", {}), ANNOTATION_PLAN: plan}
                pod["metadata"] = {**pod["metadata"], "annotations": annotations}
        return [*pods, *self._jobs.pods_of(pool)]

    async def secrets(self, namespace: str, names: Collection[str], *, fresh: bool = False) -> Mapping[str, Manifest]:
        """Secrets from the files."""
        return self._named("Secret", namespace, names)

    async def config_maps(
        self, namespace: str, names: Collection[str], *, fresh: bool = False
    ) -> Mapping[str, Manifest]:
        """ConfigMaps from the files."""
        return self._named("ConfigMap", namespace, names)

    def _named(self, kind: str, namespace: str, names: Collection[str]) -> Mapping[str, Manifest]:
        found = ((name, self.store.get(Ref(kind, Key(namespace, name)))) for name in names)
        return {name: obj for name, obj in found if obj is not None}

    async def apply(self, manifest: Manifest) -> None:
        """Store it; a Deployment, ConfigMap or Job takes effect at once."""
        if manifest["kind"] == "Job":
            self._jobs.apply(manifest)
            return
        self._children.put(copy.deepcopy(manifest))
        await self._take_effect(manifest)

    async def delete(self, obj: Manifest) -> None:
        """Remove a child."""
        if obj["kind"] == "Job":
            await self._jobs.delete(obj)
            return
        self._children.remove(ref_of(obj))
        await self._take_effect(obj)

    async def touch_plan(self, pod: Key, plan_hash: str) -> None:
        """Nothing waits to be woken here: ConfigMaps are written into the folders when they are applied."""
        self._touched[pod] = plan_hash

    async def write_status(self, obj: Manifest, status: Manifest) -> None:
        """Unless the object was replaced meanwhile, in which case the next round writes it."""
        if self.store.get(ref_of(obj)) is obj:
            self.store.put({**obj, "status": status})

    async def record(self, obj: Manifest, note: Note) -> None:
        """Tell the user."""
        self._tell(obj, note)

    async def _take_effect(self, child: Manifest) -> None:
        pool = Key(child["metadata"]["namespace"], child["metadata"]["labels"][LABEL_POOL])
        workload = self._workload(pool)
        if child["kind"] == "ConfigMap":
            config_maps = [each for each in self._applied(pool) if each["kind"] == "ConfigMap"]
            workload.update(contents_of(config_maps, self.store.all_of("Secret", pool.namespace), self._claims))
        if child["kind"] == "Deployment":
            workload.deployment = child
            await workload.sync()

    def _shown_to(self, pod: Manifest) -> Contents:
        """What a Job's pod may mount or refer to."""
        namespace = pod["metadata"]["namespace"]
        config_maps, secrets = (self.store.all_of(kind, namespace) for kind in ("ConfigMap", "Secret"))
        return contents_of(config_maps, secrets, self._claims)

    def _workload(self, pool: Key) -> Workload:
        if pool not in self.workloads:
            self.workloads[pool] = Workload(self._runner, changed=lambda: self._pod_changed(pool))
        return self.workloads[pool]

    def _job_changed(self, pool: Key) -> None:
        self.mark(pool)

    def _pod_changed(self, pool: Key) -> None:
        """A process started, died or became ready: scale and route at once, report in the next round."""
        if pool in self.workloads:
            task = asyncio.ensure_future(self.workloads[pool].sync())
            self._syncs.add(task)
            task.add_done_callback(self._syncs.discard)
        self.mark(pool)


def _order(obj: Manifest) -> int:
    return _KINDS.index(obj["kind"])
