"""`phalanx top`: what a `phalanx up` on this machine does, or what a cluster does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any, Final

import click

from phalanx_cli.cluster.access import Place, Where, kube_options, with_cluster

LOCAL_EVERY_S: Final = 1.0
CLUSTER_EVERY_S: Final = 3.0
"""A status changes with a decision, not every second."""


@click.command("top")
@click.option("--state-dir", type=click.Path(path_type=Path), help="The one that `phalanx up` was given.")
@click.option("--once", is_flag=True, help="Print the table once and end.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print the state once, for scripts.")
@kube_options(everywhere=True)
def command(state_dir: Path | None, once: bool, output: str | None, where: Where) -> None:
    """Watch students, thresholds, workers and the last decisions.

    A `phalanx up` that runs on this machine goes first, with its rate, latency and queue. With any of kubectl's
    options, or where none runs, it is the cluster, as its statuses tell; the dashboard has its rates and latencies.
    """
    from phalanx_operator.local.state import default_state_dir, read_state

    if where.given and state_dir is not None:
        raise click.UsageError(
            "--state-dir is for a local `phalanx up`, kubectl's options for a cluster: give one kind"
        )
    path = state_dir or default_state_dir()
    state = None if where.given else read_state(path)
    if state is not None:
        _local(path, state, once=once, output=output)
    elif state_dir is not None:
        raise click.ClickException(f"no `phalanx up` runs with the state folder {path}")
    else:
        with contextlib.suppress(KeyboardInterrupt):
            with_cluster(where, lambda place: _cluster(place, once=once, output=output))


def _local(path: Path, state: dict[str, Any], *, once: bool, output: str | None) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from phalanx_operator.local.state import read_state
    from phalanx_operator.local.table import render

    def drawn(state: dict[str, Any]) -> Group:
        return Group(Text(f"phalanx up, {path}", "dim"), render(state))

    if output:
        click.echo(json.dumps({"source": "local", **state}, indent=1))
        return
    if once:
        Console().print(drawn(state))
        return
    try:
        with Live(drawn(state), auto_refresh=False, screen=True) as live:
            while (now := read_state(path)) is not None:
                live.update(drawn(now), refresh=True)
                time.sleep(LOCAL_EVERY_S)
    except KeyboardInterrupt:
        return
    click.echo("`phalanx up` has ended")


async def _cluster(place: Place, *, once: bool, output: str | None) -> None:
    from phalanx_cli.cluster.read import snapshot
    from phalanx_cli.cluster.show import show
    from phalanx_operator.describe.lines import Line, Tone
    from phalanx_operator.describe.top import as_json, top

    seen = await snapshot(place)
    if output:
        click.echo(json.dumps(as_json(seen), indent=1))
    elif once:
        show([Line(place.title, Tone.QUIET), *top(seen)])
    else:
        await watch(place)


async def watch(place: Place) -> None:
    """Draw until the user has seen enough. What was seen last stays while the API server does not answer."""
    from rich.live import Live

    from phalanx_cli.cluster.access import said
    from phalanx_cli.cluster.read import snapshot
    from phalanx_cli.cluster.show import drawn
    from phalanx_operator.apply.api import ApiError
    from phalanx_operator.describe.lines import Line, Tone
    from phalanx_operator.describe.top import top

    title = Line(place.title, Tone.QUIET)
    lines: list[Line] = []
    with Live(auto_refresh=False, screen=True) as live:
        while True:
            try:
                lines = top(await snapshot(place))
                live.update(drawn([title, *lines]), refresh=True)
            except ApiError as error:
                live.update(drawn([title, Line(said(error), Tone.BAD), *lines]), refresh=True)
            await asyncio.sleep(CLUSTER_EVERY_S)
