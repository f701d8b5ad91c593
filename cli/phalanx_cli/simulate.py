"""`phalanx simulate`: what the operator would do with a load, before there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from phalanx_operator.simulate.compare import Watch
    from phalanx_operator.simulate.replay import Run
    from phalanx_operator.simulate.setup import Setup
    from phalanx_operator.simulate.trace import Trace

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("simulate")
@click.argument("trace_name", metavar="TRACE")
@click.argument("policies", metavar="[POLICY]...", nargs=-1)
@click.option("--pool", "pool_path", type=_FILE, help="YAML with one ServingPool and its StudentEnsemble.")
@click.option("--profile", "profile_path", type=_FILE, help="YAML with what a worker can do: capacity by students, ...")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Multiplies the trace's rate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seeds a shipped trace.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for JSON, picture and trace.")
def command(
    trace_name: str,
    policies: tuple[str, ...],
    pool_path: Path | None,
    profile_path: Path | None,
    scale: float,
    seed: int,
    out: Path | None,
) -> None:
    """Replay TRACE through the operator's decisions and through baselines, and compare what comes of it.

    TRACE is diurnal, flash-crowd or on-off, or a file as `phalanx bench load --trace` reads it: lines of TIME,COUNT, or
    arrival offsets in seconds.

    POLICY is operator, fixed:K (always K students, the operator's workers), fixed:KxN (always N workers), fewest:K (the
    fewest workers that serve as well as the operator) or hpa:K (a HorizontalPodAutoscaler). Without any: operator,
    fixed, fewest and hpa, with all students.
    """
    from rich.console import Console

    from phalanx_cli.simulation_input import read_setup, trace_named
    from phalanx_operator.api.issues import SpecError
    from phalanx_operator.local.files import FilesError
    from phalanx_operator.simulate.compare import DEFAULT, compare
    from phalanx_operator.simulate.errors import SimulationError

    console = Console()
    try:
        if out is not None:
            _check_plot()
        trace = trace_named(trace_name, seed=seed).scaled(scale)
        setup = read_setup(pool_path, profile_path)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        with _Shown(trace, console) as shown:
            runs = compare(trace, policies or DEFAULT, setup, watch=shown)
        _tell(runs, setup, console)
        if out is not None:
            _write(runs, out, console)
    except (SimulationError, SpecError, FilesError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _tell(runs: list[Run], setup: Setup, console: Console) -> None:
    from phalanx_cli.simulation_table import table_of

    first = runs[0]
    about = f": {first.trace.about}" if first.trace.about else ""
    console.print(f"{first.trace.name}{about}", highlight=False, markup=False)
    console.print(table_of(runs))
    objective = f"objective p99 {1000 * setup.pool.objective_p99_s:g} ms"
    spec = setup.pool.replicas
    console.print(f"{objective}, {spec.min} to {spec.max} workers under operator and hpa", highlight=False)


def _write(runs: list[Run], out: Path, console: Console) -> None:
    """`NAME.json`, `NAME.png`, and `NAME.csv`, which `phalanx bench load --trace` replays against a real server."""
    from phalanx_cli.simulation_plot import plot
    from phalanx_operator.simulate.report import encode, report_of

    report, trace = report_of(runs), runs[0].trace
    paths = {suffix: out / f"{trace.name}{suffix}" for suffix in (".json", ".png", ".csv")}
    paths[".json"].write_bytes(encode(report))
    plot(report, paths[".png"])
    paths[".csv"].write_text("".join(f"{second},{round(texts)}\n" for second, texts in enumerate(trace.texts)))
    for path in paths.values():
        console.print(f"wrote {path}", highlight=False, markup=False)


def _check_plot() -> None:
    """Find out before the run what could not be drawn after it."""
    from phalanx_operator.simulate.errors import SimulationError

    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SimulationError("--out needs matplotlib: run pip install '.[bench]' in the repository") from error


class _Shown:
    """A bar for each policy on a terminal while the block runs; nothing elsewhere."""

    def __init__(self, trace: Trace, console: Console) -> None:
        from rich.progress import Progress

        self._seconds = trace.seconds
        self._progress = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Watch:
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, policy: str, second: int) -> None:
        if second % 60 and second + 1 < self._seconds:
            return
        if policy not in self._tasks:
            self._tasks[policy] = self._progress.add_task(policy, total=self._seconds)
        self._progress.update(self._tasks[policy], completed=second + 1)
