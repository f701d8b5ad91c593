"""Rounds that go on until the time is up, and times taken in them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console
from rich.progress import Progress

from bench.cpu.scale import SEED


def until(seconds: float, *, least: int, most: int, what: str) -> Iterator[int]:
    """Numbers of rounds, at least so many, while there is time for one more; a progress bar is on stderr."""
    start = time.perf_counter()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=seconds)
        for done in range(most):
            spent = time.perf_counter() - start
            progress.update(task, completed=min(spent, seconds), description=f"{what}, {done} done")
            if done >= least and spent * (done + 1) > seconds * done:
                return
            yield done


def shuffled(calls: Mapping[str, Callable[[], object]], dice: random.Random) -> dict[str, float]:
    """Seconds of each call, every one run once, in an order drawn anew."""
    seconds = {}
    for name in dice.sample(sorted(calls), len(calls)):
        start = time.perf_counter()
        calls[name]()
        seconds[name] = time.perf_counter() - start
    return seconds


def drawing(count: int, purpose: str) -> list[int]:
    """All numbers below `count` in an order of their own for each purpose, the same at every call."""
    return random.Random(f"{SEED} {purpose}").sample(range(count), count)
