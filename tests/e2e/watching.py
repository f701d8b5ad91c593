"""`kubectl get KIND -w`, as it runs beside a test, with the time of every line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.binaries import need
from tests.e2e.cluster import Cluster
from tests.e2e.waiting import NotYet


@dataclass(slots=True)
class Watched:
    """The lines so far, by column, with the time at which each was printed."""

    rows: list[tuple[float, dict[str, str]]] = field(default_factory=list)

    def when(self, column: str, *values: str, after: float = 0.0) -> float:
        """When a line first had one of these values, after a time.

        Raises:
            NotYet: no line has.
        """
        for at, row in self.rows:
            if at > after and row.get(column) in values:
                return at
        raise NotYet(f"no line with {column} {' or '.join(values)}: {[row for _, row in self.rows]}")

    def values(self, column: str) -> list[str]:
        """The column as it went: each change of it."""
        found: list[str] = []
        for _, row in self.rows:
            if row.get(column) not in (None, *found[-1:]):
                found.append(row[column])
        return found


@contextlib.asynccontextmanager
async def watching(cluster: Cluster, kind: str, name: str, *, namespace: str) -> AsyncIterator[Watched]:
    """Watch one object with kubectl until the block is left. A cell that is empty ends what is read of a line."""
    command = [need("kubectl", "run `make tools`"), "get", kind, name, "-w", "-n", namespace]
    process = await asyncio.create_subprocess_exec(
        *map(str, command), env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}, stdout=asyncio.subprocess.PIPE
    )
    watched = Watched()
    task = asyncio.create_task(_read(process, watched))
    try:
        yield watched
    finally:
        process.kill()
        await process.wait()
        await asyncio.gather(task, return_exceptions=True)


async def _read(process: asyncio.subprocess.Process, watched: Watched) -> None:
    assert process.stdout is not None
    header: list[str] = []
    async for line in process.stdout:
        words = line.decode().split()
        if words[:1] == ["NAME"]:
            header = words
        else:
            watched.rows.append((time.monotonic(), dict(zip(header, words, strict=False))))
