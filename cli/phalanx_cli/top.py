"""`phalanx top`: the table of a `phalanx up` that runs elsewhere on this machine."""

from __future__ import annotations

import time
from pathlib import Path

import click

_REFRESH_S = 1.0


@click.command("top")
@click.option("--state-dir", type=click.Path(path_type=Path), help="The one that `phalanx up` was given.")
@click.option("--once", is_flag=True, help="Print the table once and end.")
def command(state_dir: Path | None, once: bool) -> None:
    """Watch a running `phalanx up`: students, thresholds, rate, latency, queue, and the last decision."""
    from rich.console import Console
    from rich.live import Live

    from phalanx_operator.local.state import default_state_dir, read_state
    from phalanx_operator.local.table import render

    path = state_dir or default_state_dir()
    state = read_state(path)
    if state is None:
        raise click.ClickException(f"no `phalanx up` runs with the state folder {path}")
    if once:
        Console().print(render(state))
        return
    try:
        with Live(render(state), auto_refresh=False, screen=True) as live:
            while (state := read_state(path)) is not None:
                live.update(render(state), refresh=True)
                time.sleep(_REFRESH_S)
    except KeyboardInterrupt:
        return
    click.echo("`phalanx up` has ended")
