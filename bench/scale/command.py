"""`python -m bench scale`: options, the run, the result."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.record import RESULTS, Figure, write
from bench.scale.measure import Measured, measure
from bench.scale.objects import Sizes


def main(arguments: Sequence[str]) -> Path:
    """Measure; smaller sizes are trials, whose result goes to `--out`."""
    whole = Sizes()
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--pools", type=int, default=whole.pools)
    parser.add_argument("--ensembles", type=int, default=whole.ensembles)
    parser.add_argument("--adapters", type=int, default=whole.adapters)
    parser.add_argument("--changes", type=int, default=whole.changes)
    parser.add_argument("--idle-s", type=float, default=whole.idle_s)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    sizes = Sizes(
        pools=options.pools,
        ensembles=options.ensembles,
        adapters=options.adapters,
        changes=options.changes,
        idle_s=options.idle_s,
    )
    with tempfile.TemporaryDirectory(prefix="phalanx-scale-") as folder:
        measured = asyncio.run(measure(sizes, Path(folder)))
    return write("scale", figures(measured), folder=options.out)


def figures(measured: Measured) -> dict[str, Figure]:
    """By name; what was counted once has no spread."""
    sizes, ordered = measured.sizes, sorted(measured.changes_s)
    p99 = ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]
    found = {
        "pools": (sizes.pools, "resources"),
        "ensembles": (sizes.ensembles, "resources"),
        "adapters": (sizes.adapters, "resources"),
        "changes": (len(ordered), "changes"),
        "plans": (measured.plans_s, "s"),
        "converged": (measured.converged_s, "s"),
        "converging:core": (measured.converging_share, "share of a core"),
        "idle:writes": (measured.idle_writes / measured.idle_s * 60, "requests/min"),
        "idle:core": (measured.idle_share, "share of a core"),
        "idle:memory": (measured.idle_bytes / 1e6, "MB"),
        "memory": (measured.most_bytes / 1e6, "MB"),
        "restart": (measured.restart_s, "s"),
        "restart:writes": (measured.restart_writes, "requests"),
        "restart:memory": (measured.restart_bytes / 1e6, "MB"),
    }
    once = {name: Figure(value=value, low=value, high=value, unit=unit) for name, (value, unit) in found.items()}
    return once | {
        "change:p50": Figure(value=statistics.median(ordered), low=ordered[0], high=ordered[-1], unit="s"),
        "change:p99": Figure(value=p99, low=statistics.median(ordered), high=ordered[-1], unit="s"),
    }
