"""The phases, one after the other, in one world."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from rich.progress import Progress

from bench.scale.objects import NAMESPACE, Sizes, adapters, ensembles, pool_name, pools
from bench.scale.world import Usage, World, account, world
from phalanx_contract.errors import ContractError
from phalanx_contract.plan import Plan
from phalanx_contract.runtime import ENV_PLAN_DIR
from phalanx_contract.wire import unpack
from tests.e2e.kube import Kube, Object, path_of
from tests.e2e.resources import CLAIM, volume
from tests.e2e.scene import process_of
from tests.e2e.waiting import NotYet, eventually

PARALLEL: Final = 16
LIMIT_S: Final = 1200.0
CHANGE_LIMIT_S: Final = 60.0
LOOK_S: Final = 0.02
"""How often the worker's files are looked at."""
QUIET_S: Final = 20.0
"""Without a write of the operator: what was begun has ended."""
WRITES: Final = ("create", "update", "patch", "delete")


@dataclass(slots=True)
class Measured:
    """Seconds, unless the name says otherwise."""

    sizes: Sizes
    plans_s: float = 0.0
    converged_s: float = 0.0
    converging_share: float = 0.0
    changes_s: list[float] = field(default_factory=list)
    idle_s: float = 0.0
    idle_writes: int = 0
    idle_share: float = 0.0
    idle_bytes: int = 0
    most_bytes: int = 0
    restart_s: float = 0.0
    restart_writes: int = 0
    restart_bytes: int = 0


async def measure(sizes: Sizes, folder: Path) -> Measured:
    """All phases. Raises AssertionError where one does not come to its end in time."""
    with world(folder) as found:
        async with Kube(found.plane.kubeconfig) as kube:
            token = await account(kube)
            with found.node(gpus=sizes.workers):
                await _fill(found, kube, sizes)
                measured = Measured(sizes)
                with found.operator(token) as process:
                    folders = await _phases(found, kube, measured, process)
                mark = found.audit.end()
                with found.operator(token) as process:
                    await _restart(found, kube, measured, process, folders, mark=mark)
                return measured


async def _phases(found: World, kube: Kube, measured: Measured, process: psutil.Process) -> dict[str, Path]:
    """Returns the plan folders by pool."""
    usage, sizes = Usage(process), measured.sizes
    async with _watched(usage):
        await _converge(kube, measured, usage)
        folders = await _plan_folders(kube, sizes)
        await _quiet(found)
        await _change(kube, measured, folders)
        await _quiet(found)
        await _idle(found, measured, usage)
    measured.most_bytes = usage.most_bytes
    return folders


async def _restart(
    found: World, kube: Kube, measured: Measured, process: psutil.Process, folders: dict[str, Path], *, mark: int
) -> None:
    """The operator began a moment ago, with everything as it should be but one change."""
    usage = Usage(process)
    async with _watched(usage):
        measured.restart_s = await _changed(kube, measured.sizes, folders, len(measured.changes_s))
        await _quiet(found)
    measured.restart_writes = _writes(found, mark)
    measured.restart_bytes = usage.most_bytes


async def _fill(found: World, kube: Kube, sizes: Sizes) -> None:
    """Make the resources, before there is an operator."""
    node = "/api/v1/nodes/test-node"

    async def registered() -> None:
        if await kube.find(node) is None:
            raise NotYet("there is no node")

    await eventually(registered, within_s=LIMIT_S)
    await kube.merge(node, {"metadata": {"labels": {"gpu": "free"}}})
    await kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    claim = found.folder / "claim"
    claim.mkdir()
    text = "\n---\n".join(json.dumps(each) for each in volume(NAMESPACE, claim))
    found.cluster.kubectl("create", "-f", "-", stdin=text)
    bound = "jsonpath={.status.phase}=Bound"
    found.cluster.kubectl("wait", f"--for={bound}", f"pvc/{CLAIM}", "-n", NAMESPACE, "--timeout=60s")
    found.cluster.kubectl("apply", "-f", str(Path("crds")))
    found.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    await _create(kube, [*pools(sizes), *ensembles(sizes), *adapters(sizes)])


async def _create(kube: Kube, objects: Iterable[Object]) -> None:
    gate, waiting = asyncio.Semaphore(PARALLEL), list(objects)
    with Progress() as progress:
        task = progress.add_task("making resources", total=len(waiting))

        async def one(obj: Object) -> None:
            async with gate:
                await kube.create(path_of(obj["kind"], namespace=NAMESPACE), obj)
                progress.advance(task)

        await asyncio.gather(*(one(obj) for obj in waiting))


async def _converge(kube: Kube, measured: Measured, usage: Usage) -> None:
    """Until all plans are out, and then until all statuses are about their specs."""
    begun, sizes = time.monotonic(), measured.sizes
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps?labelSelector=phalanx.dev%2Fpool"
    counts = {"ServingPool": sizes.pools, "StudentEnsemble": sizes.ensembles, "TenantAdapter": sizes.adapters}

    async def plans() -> None:
        count = len(await kube.items(path))
        if count < sizes.pools:
            raise NotYet(f"{count} of {sizes.pools} plans")

    async def statuses() -> None:
        for kind, count in counts.items():
            items = await kube.items(path_of(kind, namespace=NAMESPACE))
            done = sum("observedGeneration" in item.get("status", {}) for item in items)
            if done < count:
                raise NotYet(f"{done} of {count} {kind}s have a status")

    usage.look()
    await eventually(plans, within_s=LIMIT_S, every_s=1.0)
    measured.plans_s = time.monotonic() - begun
    await eventually(statuses, within_s=LIMIT_S, every_s=3.0)
    measured.converged_s = time.monotonic() - begun
    measured.converging_share = usage.look()


async def _plan_folders(kube: Kube, sizes: Sizes) -> dict[str, Path]:
    """Where each worker sees its plan, by pool."""
    folders = {}
    for index in range(sizes.workers):
        name = pool_name(index)

        async def pod(name: str = name) -> str:
            path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=phalanx.dev%2Fpool%3D{name}"
            found = [item["metadata"]["name"] for item in await kube.items(path)]
            if not found:
                raise NotYet(f"{name} has no pod")
            return str(found[0])

        worker = await eventually(pod, within_s=LIMIT_S)

        async def process(worker: str = worker) -> psutil.Process:
            return process_of(worker)

        folders[name] = Path((await eventually(process, within_s=LIMIT_S)).environ()[ENV_PLAN_DIR])
    return folders


async def _change(kube: Kube, measured: Measured, folders: dict[str, Path]) -> None:
    """One change at a time."""
    with Progress() as progress:
        task = progress.add_task("changing a model", total=measured.sizes.changes)
        for index in range(measured.sizes.changes):
            measured.changes_s.append(await _changed(kube, measured.sizes, folders, index))
            progress.advance(task)


async def _changed(kube: Kube, sizes: Sizes, folders: dict[str, Path], index: int) -> float:
    """Seconds until a change of a model's bound, to and fro between two values, is in the worker's file."""
    names = sizes.changed
    name, most = names[index % len(names)], 3 + index // len(names) % 2
    pool = pool_name(sizes.pool_of(int(name.rpartition("-")[2])))
    begun = time.monotonic()
    await kube.merge(path_of("StudentEnsemble", name, namespace=NAMESPACE), {"spec": {"students": {"max": most}}})

    async def arrived() -> None:
        plan = _plan(folders[pool])
        ceilings = {each.name: each.cut.students_ceiling for each in plan.ensembles} if plan else {}
        if ceilings.get(name) != most:
            raise NotYet(f"{pool} has {name} at {ceilings.get(name)}, not {most}")

    await eventually(arrived, within_s=CHANGE_LIMIT_S, every_s=LOOK_S)
    return time.monotonic() - begun


def _plan(folder: Path) -> Plan | None:
    """The plan in a worker's folder; None while it is torn."""
    try:
        return unpack({file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()})[1]
    except (OSError, ContractError):
        return None


async def _quiet(found: World) -> None:
    """Wait until the operator has written nothing for a while."""

    async def probe() -> None:
        mark = found.audit.end()
        await asyncio.sleep(QUIET_S)
        count = _writes(found, mark)
        if count:
            raise NotYet(f"{count} writes in {QUIET_S:g} s")

    await eventually(probe, within_s=LIMIT_S)


async def _idle(found: World, measured: Measured, usage: Usage) -> None:
    """Nothing happens."""
    mark, begun = found.audit.end(), time.monotonic()
    usage.look()
    await asyncio.sleep(measured.sizes.idle_s)
    measured.idle_share = usage.look()
    measured.idle_s = time.monotonic() - begun
    measured.idle_writes = _writes(found, mark)
    measured.idle_bytes = usage.bytes_now()


def _writes(found: World, mark: int) -> int:
    requests = found.audit.requests(since=mark)
    return sum(1 for request in requests if request.right is not None and request.right.verb in WRITES)


@contextlib.asynccontextmanager
async def _watched(usage: Usage) -> AsyncIterator[None]:
    """Look at its memory from time to time."""
    watching = asyncio.create_task(_watch_memory(usage))
    try:
        yield
    finally:
        watching.cancel()
        usage.note_memory()


async def _watch_memory(usage: Usage) -> None:
    while True:
        usage.note_memory()
        await asyncio.sleep(1.0)
