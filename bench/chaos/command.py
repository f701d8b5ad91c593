"""`python -m bench chaos`: options, a cluster, the run, the table, the result."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import yaml
from rich.console import Console

from bench.chaos.plan import Fault, Strike, plan
from bench.chaos.rows import GIVEN_UP_S, Row
from bench.chaos.run import Tell, chaos
from bench.chaos.stage import MODEL
from bench.chaos.table import table_of
from bench.record import RESULTS, Figure, write
from bench.scale.world import World, world
from tests.binaries import find
from tests.e2e.artifacts import make_ensemble
from tests.e2e.controlplane import MissingBinariesError, find_binaries
from tests.e2e.kube import Kube
from tests.e2e.prometheus import HINT, prometheus
from tests.e2e.resources import CLAIM, volume
from tests.e2e.scene import Scene

NAMESPACE: Final = "chaos"
GPUS: Final = 4


def main(arguments: Sequence[str]) -> Path:
    """Kill; other seeds and rounds are trials, whose result goes to `--out`."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="of the order, the moments and the load")
    parser.add_argument("--rounds", type=int, default=3, help="how often each thing is killed")
    parser.add_argument("--operators", type=int, default=2, help="replicas of the operator; the leader is killed")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    _require_programs()
    console = Console()
    strikes = plan(seed=options.seed, rounds=options.rounds)
    with console.status("starting a control plane") as status, tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_run(Path(folder), strikes, options.seed, options.operators, status.update))
    console.print(table_of(rows))
    path = write("chaos", figures(rows), folder=options.out, seed=options.seed, strikes=[asdict(row) for row in rows])
    if any(row.broken for row in rows):
        sys.exit(f"promises were broken: see the table, or {path}")
    return path


def _require_programs() -> None:
    """Exit with what to do where something is missing."""
    for name, hint in (("prometheus", HINT), ("helm", "run `make tools`"), ("kubectl", "run `make tools`")):
        if find(name) is None:
            sys.exit(f"no {name}: {hint}")
    try:
        find_binaries()
    except MissingBinariesError as problem:
        sys.exit(str(problem))


async def _run(folder: Path, strikes: Sequence[Strike], seed: int, operators: int, tell: Tell) -> list[Row]:
    claim, metrics = folder / "claim", folder / "prometheus"
    for each in (claim, metrics):
        each.mkdir()
    artifact = make_ensemble(claim / MODEL)
    with world(folder) as found, found.node(gpus=GPUS), prometheus(metrics) as server:
        tell("installing the operator")
        await asyncio.to_thread(_install, found, claim, operators)
        async with Kube(found.plane.kubeconfig) as kube:
            scene = Scene(cluster=found.cluster, kube=kube, namespace=NAMESPACE, folder=claim)
            return await chaos(scene, server, artifact, strikes, seed=seed, tell=tell)


def _install(found: World, claim: Path, operators: int) -> None:
    found.cluster.install(f"replicas={operators}")
    found.cluster.kubectl("create", "namespace", NAMESPACE)
    found.cluster.kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(volume(NAMESPACE, claim)))
    bound = "jsonpath={.status.phase}=Bound"
    found.cluster.kubectl("wait", f"--for={bound}", f"pvc/{CLAIM}", "-n", NAMESPACE, "--timeout=60s")


def figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """`FAULT:what` over all strikes: sums of requests, the most that students and workers fell by, and seconds until
    convergence (the median; high is the longest, and one that never came counts as the time of waiting for it)."""
    found: dict[str, Figure] = {}
    for fault in Fault:
        mine = [row for row in rows if row.fault is fault]
        sums = {
            "strikes": (len(mine), "kills"),
            "requests": (sum(row.requests.sent for row in mine), "requests"),
            "lost": (sum(row.requests.lost for row in mine), "requests"),
            "inside": (sum(row.requests.inside for row in mine), "requests"),
            "unreached": (sum(row.requests.unreached for row in mine), "requests"),
            "refused": (sum(row.requests.refused for row in mine), "requests"),
            "students": (max(row.students.held - row.students.lowest for row in mine), "students"),
            "workers": (max(row.workers.held - row.workers.lowest for row in mine), "workers"),
        }
        found |= {
            f"{fault.name}:{name}": Figure(value=value, low=value, high=value, unit=unit)
            for name, (value, unit) in sums.items()
        }
        seconds = [GIVEN_UP_S if row.converged_s is None else row.converged_s for row in mine]
        found[f"{fault.name}:converged"] = Figure(
            value=statistics.median(seconds), low=min(seconds), high=max(seconds), unit="s"
        )
    return found
