"""Kopf's streams into the store."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from phalanx_operator.api.types import Key
from phalanx_operator.build.labels import pool_of
from phalanx_operator.handlers.cluster import POD, made_kinds
from phalanx_operator.handlers.resync import resync, resync_made
from phalanx_operator.handlers.settings import configure
from phalanx_operator.handlers.watch import Watch, register
from phalanx_operator.observe.store import Ref, Store, version_of
from tests.operator.objects import adapter, ensemble, pool


class Watched:
    """A watch, its store, and what it marked since the last look."""

    def __init__(self) -> None:
        self.store = Store()
        self._marked: list[str] = []
        self.made = Store(owner=pool_of)
        self.watch = Watch(self.store, self.made, lambda key: self._marked.append(key.name))

    async def see(self, obj: dict[str, Any], *, type: str | None = None) -> set[str]:
        await self.watch.event(type=type, body=kopf.Body(obj))
        marked, self._marked = set(self._marked), []
        return marked


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_objects_are_stored_and_mark_their_pool(watched):
    assert await watched.see(pool()) == {"gpus"}
    assert await watched.see(ensemble()) == {"gpus"}
    assert await watched.see(adapter()) == {"gpus"}
    stored = watched.store.get(Ref("StudentEnsemble", Key("default", "sentiment")))
    assert stored == ensemble()


def written(obj: dict[str, Any], *, version: str, **fields: Any) -> dict[str, Any]:
    meta = {**obj["metadata"], "resourceVersion": version, "managedFields": [{"time": version}]}
    return {**obj, "metadata": meta, **fields}


async def test_the_echo_of_a_status_marks_nothing_and_its_version_is_kept(watched):
    for obj in (pool(), ensemble()):
        await watched.see(obj)
    status = {"observedGeneration": 1}
    watched.store.put({**ensemble(), "status": status})  # as a round does that wrote it
    assert await watched.see(written(ensemble(), version="7", status=status), type="MODIFIED") == set()
    stored = watched.store.get(Ref("StudentEnsemble", Key("default", "sentiment")))
    assert stored is not None
    assert version_of(stored) == "7", "or the next list would take it for missed"


@pytest.mark.parametrize(
    "changed",
    [
        {"status": {"observedGeneration": 2}},
        {"spec": {**ensemble()["spec"], "students": {"max": 2}}},
        {"metadata": {**ensemble()["metadata"], "labels": {"team": "a"}}},
        {"metadata": {**ensemble()["metadata"], "uid": "of-another"}},
        {"metadata": {**ensemble()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_whatever_else_differs_is_no_echo(watched, changed):
    for obj in (pool(), {**ensemble(), "status": {"observedGeneration": 1}}):
        await watched.see(obj)
    told = {**ensemble(), "status": {"observedGeneration": 1}, **changed}
    assert await watched.see(written(told, version="7"), type="MODIFIED") == {"gpus"}


async def test_what_is_deleted_and_made_again_just_as_it_was_is_no_echo(watched):
    for obj in (pool(), ensemble(), adapter()):
        await watched.see(obj)
    assert await watched.see(ensemble(), type="DELETED") == {"gpus"}
    assert await watched.see(ensemble(), type="ADDED") == {"gpus"}


async def test_an_ensemble_that_moves_marks_both_pools(watched):
    for obj in (pool("gpus"), pool("cpus"), ensemble()):
        await watched.see(obj)
    assert await watched.see(ensemble(pool="cpus"), type="MODIFIED") == {"gpus", "cpus"}


@pytest.mark.parametrize("type", ["MODIFIED", "DELETED"])
async def test_a_watch_that_tells_late_of_what_was_overwritten_changes_nothing(watched, type):
    """The answer to an apply is stored before the watch tells of what was there before it."""
    child = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gpus", "namespace": "default"}}
    ref = Ref("Deployment", Key("default", "gpus"))
    watched.made.put(written(child, version="101", spec={"replicas": 5}))
    await watched.watch.made_event(type=type, body=kopf.Body(written(child, version="99", spec={"replicas": 3})))
    assert watched.made.get(ref)["spec"] == {"replicas": 5}
    await watched.watch.made_event(type="DELETED", body=kopf.Body(written(child, version="102")))
    assert watched.made.get(ref) is None

    await watched.see(written(pool(), version="10", status={"of": "now"}))
    assert await watched.see(written(pool(), version="9", status={"of": "before"}), type=type) == set()
    assert watched.store.get(Ref("ServingPool", Key("default", "gpus")))["status"] == {"of": "now"}


async def test_deletion_forgets_and_marks(watched):
    for obj in (pool(), ensemble(), adapter()):
        await watched.see(obj)
    assert await watched.see(ensemble(), type="DELETED") == {"gpus"}
    assert watched.store.get(Ref("StudentEnsemble", Key("default", "sentiment"))) is None
    changed = adapter() | {"spec": {**adapter()["spec"], "weight": 3}}
    assert await watched.see(changed, type="MODIFIED") == {"acme"}, "it belongs to no pool any more: for the sweep"


def made(name: str, pool: str | None, kind: str = "Pod") -> dict[str, Any]:
    labels = {} if pool is None else {"phalanx.dev/pool": pool}
    return {"kind": kind, "metadata": {"name": name, "namespace": "default", "labels": labels}}


async def test_what_was_made_for_pools_that_exist_marks_them_and_is_stored(watched):
    await watched.see(pool())
    marked: list[Key] = []
    watch = Watch(watched.store, watched.made, marked.append)
    objects = [made("p-0", "gpus"), made("p-1", "gone"), made("stray", None), made("plan", "gpus", kind="ConfigMap")]
    for obj in objects:
        await watch.made_event(type="ADDED", body=kopf.Body(obj))
    assert marked == [Key("default", "gpus")] * 2
    assert [obj["metadata"]["name"] for obj in watched.made.belonging_to("Pod", Key("default", "gpus"))] == ["p-0"]
    for obj in objects:  # as Kopf tells everything again after an interruption
        await watch.made_event(type=None, body=kopf.Body(obj))
    assert len(marked) == 2
    await watch.made_event(type="DELETED", body=kopf.Body(objects[0]))
    assert watched.made.belonging_to("Pod", Key("default", "gpus")) == []
    assert len(marked) == 3


def test_nothing_that_is_registered_makes_kopf_write_to_objects(watched):
    registry = kopf.OperatorRegistry()
    register(registry, watched.watch, namespaced=True, made=made_kinds("policy/v1"))
    assert not list(registry._changing.get_all_handlers())
    assert not list(registry._spawning.get_all_handlers())
    assert not list(registry._indexing.get_all_handlers()), "each object read would wake all that were read before"
    assert len(list(registry._watching.get_all_handlers())) == 11


def test_watches_are_filtered_by_the_server_and_end_by_a_whole_number_of_seconds():
    settings = kopf.OperatorSettings()
    configure(settings, namespaced=False, made=made_kinds("policy/v1"))
    assert settings.posting.enabled is False
    assert isinstance(settings.watching.server_timeout, int), "others are refused as a bad request"
    assert "managed-by=phalanx-operator" in settings.watching.label_selectors["pods"]


class Listed:
    """A cluster of which only lists are asked."""

    def __init__(self, store: Store, *objects: dict[str, Any], made: Store | None = None) -> None:
        self.store = store
        self.made = made or Store(owner=pool_of)
        self.objects = objects

    async def read_all(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        labelSelector: str = "",  # noqa: N803
    ) -> list[dict[str, Any]]:
        return [obj for obj in self.objects if obj["kind"] == kind]


async def test_a_deletion_that_no_watch_saw_is_found_by_the_next_list(watched, caplog):
    for obj in (pool(), ensemble()):
        await watched.see(obj)
    marked: list[Key] = []
    feed = Watch(watched.store, watched.made, marked.append).feed
    cluster: Any = Listed(watched.store, pool(), adapter("new"))
    for kind in ("ServingPool", "StudentEnsemble", "TenantAdapter"):
        await resync(cluster, feed, kind, None)
    assert [ref["metadata"]["name"] for ref in watched.store.all_of("StudentEnsemble")] == []
    assert watched.store.get(Ref("TenantAdapter", Key("default", "new"))) is not None
    assert Key("default", "gpus") in marked
    assert "its deletion was not seen" in caplog.text


async def test_children_that_no_watch_told_of_are_found_and_mark_their_pools(watched):
    for obj in (made("gone", "gpus"), made("stays", "gpus")):
        watched.made.put(obj)
    marked: list[Key] = []
    cluster: Any = Listed(watched.store, made("stays", "gpus"), made("new", "cpus"), made=watched.made)
    assert await resync_made(cluster, POD, marked.append, None) == 2
    assert sorted(obj["metadata"]["name"] for obj in watched.made.all_of("Pod")) == ["new", "stays"]
    assert set(marked) == {Key("default", "gpus"), Key("default", "cpus")}
    marked.clear()
    assert await resync_made(cluster, POD, marked.append, None) == 0
    assert marked == []
