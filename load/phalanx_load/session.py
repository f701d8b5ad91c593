"""A run as a person starts it: a look whether the server answers, progress on the terminal, Ctrl-C, the report."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import signal
from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live

from phalanx_load.arrivals import Schedule
from phalanx_load.report import Report, make_report
from phalanx_load.report.progress import Progress
from phalanx_load.run import Load, drive
from phalanx_load.target import probe
from phalanx_load.wire.files import allow

_REFRESH_S = 0.5
"""Drawing takes some milliseconds, in which nothing is sent: twice a second is enough for an eye."""


async def run_session(
    load: Load, schedule: Schedule, *, console: Console, objective_s: float | None = None, slice_s: float = 1.0
) -> Report:
    """Probe, drive, report. Ctrl-C ends the sending; the report then says that it was interrupted.

    Raises this process's limit of open files if the connections need it, and says so if there cannot be as many.

    Raises:
        LoadError: the server does not answer a single text.
    """
    load = _within_files(load, console)
    await probe(load.target, load.samples[0])
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    progress = Progress(total=len(schedule), seconds=schedule.end_s)
    async with _interrupts() as stop, _shown(progress, console):
        record = await drive(load, schedule, watch=progress.take, stop=stop)
    return make_report(load, schedule, record, date=date, objective_s=objective_s, slice_s=slice_s)


def _within_files(load: Load, console: Console) -> Load:
    connections = allow(load.connections)
    if connections < load.connections:
        console.print(
            f"[yellow]note:[/] the limit of open files (ulimit -n) leaves room for {connections} connections, not "
            f"{load.connections}: requests wait here once they are in use",
            soft_wrap=True,
            highlight=False,
        )
    return dataclasses.replace(load, connections=connections)


@contextlib.asynccontextmanager
async def _interrupts() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _shown(progress: Progress, console: Console) -> AsyncIterator[None]:
    """The progress on a terminal while the block runs; nothing elsewhere."""
    if not console.is_terminal:
        yield
        return

    # By the loop, not by rich's thread: that one would interrupt the sender at any moment.
    async def refresh() -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            live.refresh()

    with Live(progress, console=console, auto_refresh=False, transient=True) as live:
        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
