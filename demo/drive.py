"""The demo's two runs against the pool: every held-out text once, then calm, burst, and calm again."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from phalanx_contract import metrics
from phalanx_load import Load, Phase, Report, Sample, Target, poisson, saturate
from phalanx_load.session import run_session

AT_ONCE = 8
"""Requests in flight while texts are scored."""
SLICE_S = 0.5


def score(console: Console, url: str, rows: Sequence[Sample]) -> None:
    """Send every row once, and say how many answers were right.

    Raises:
        SystemExit: some were not answered.
    """
    load = Load(target=Target(url=url), samples=rows)
    columns = (TextColumn("texts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("")

        def show(over: int, total: int) -> None:
            progress.update(task, completed=over, total=total)

        record = asyncio.run(saturate(load, requests=len(rows), in_flight=AT_ONCE, watch=show)).record
    failed = [status for status in record.status if status != 200]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(rows)} texts were not answered: status {sorted(set(failed))}")
    correct, early = sum(record.correct) / len(rows), sum(record.early) / len(rows)
    console.print(f"accuracy over HTTP {correct:.3f} on {len(rows)} held-out texts; {early:.1%} left at a ramp")


def burst(console: Console, url: str, rows: Sequence[Sample], *, full: float, objective_s: float, seed: int) -> Report:
    """Load in proportion to `full`, the texts a second that this machine's worker computes with all students."""
    phases = (
        Phase(name="calm", seconds=8, rate=0.35 * full),
        Phase(name="burst", seconds=10, rate=2.0 * full),
        Phase(name="after", seconds=30, rate=0.35 * full),
    )
    load = Load(target=Target(url=url), samples=rows, seed=seed)
    schedule = poisson(phases, seed=seed)
    report = asyncio.run(run_session(load, schedule, console=console, objective_s=objective_s, slice_s=SLICE_S))
    if report.interrupted:
        raise KeyboardInterrupt
    return report


def full_capacity(worker: str, *, ensemble: str, students: int, texts: int) -> float:
    """Texts a second with so many students: the worker's capacity in tokens over the mean tokens of a text.

    `texts` is how many the worker has answered.
    """
    with urllib.request.urlopen(f"{worker}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    wanted = f'{metrics.CAPACITY.exposed}{{ensemble="{ensemble}",students="{students}"}}'
    capacity = next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))
    tokens = next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{metrics.TOKENS.exposed}{{"))
    return capacity / (tokens / texts)
