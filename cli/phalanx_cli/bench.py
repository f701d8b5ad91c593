"""`phalanx bench`: thin; the work is in phalanx_load."""

from __future__ import annotations

import asyncio
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phalanx_cli.exit_codes import INTERRUPTED
from phalanx_cli.load_options import Arrivals, refuse_ignored, samples_of, schedule_of

if TYPE_CHECKING:
    from rich.console import Console

    from phalanx_load.report import Report


class _Positive(click.FloatRange):
    """Above 0, and a number: NaN is on neither side of a bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        return self.fail(f"{value!r} is not a valid float.", param, ctx) if math.isnan(number) else number


POSITIVE = _Positive(0, min_open=True)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("bench")
def command() -> None:
    """Measure a running server."""


@command.command("load", context_settings={"show_default": True})
@click.argument("url")
@click.option("--texts", required=True, metavar="NAME|FILE", help="trec6, movie, ... (their held-out rows), or a file: "
              ".jsonl, .csv, or one text a line.")  # fmt: skip
@click.option("--text-column", default="text", metavar="NAME", help="The column of a file that holds the text.")
@click.option("--label-column", metavar="NAME", help="Score answers against this column, by number of students too.")
@click.option("--model", default="", help="The model to ask, where the server has several; infer needs it.")
@click.option("--protocol", type=click.Choice(["predict", "infer", "embed"]), default="predict", help="The dialect.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header of every request.")
@click.option("--rate", type=POSITIVE, help="Requests a second, on average (Poisson arrivals).")
@click.option("--seconds", type=POSITIVE, help="How long.  [default: 30, or all of a trace]", show_default=False)
@click.option("--requests", type=click.IntRange(1), help="At most so many requests.")
@click.option("--burst-rate", type=POSITIVE, help="Requests a second in bursts that alternate with calms of --rate.")
@click.option("--burst-seconds", type=POSITIVE, default=5.0, help="How long a burst is.")
@click.option("--calm-seconds", type=POSITIVE, default=5.0, help="How long a calm is.")
@click.option("--trace", type=FILE, help="Replay arrivals: offsets in seconds, or TIME,COUNT lines.")
@click.option("--trace-speed", type=POSITIVE, default=1.0, help="Divides the trace's times: 2 plays it twice as fast.")
@click.option("--trace-density", type=POSITIVE, default=1.0, help="Multiplies the trace's requests.")
@click.option("--objective", type=POSITIVE, help="Latency objective in seconds, to hold answers against.")
@click.option("--timeout", type=POSITIVE, default=30.0, help="Seconds after which a request is given up.")
@click.option("--connections", type=click.IntRange(1), default=1024, help="Most connections at a time.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seeds arrivals and the choice of texts.")
@click.option("--json", "json_path", type=FILE, help="Write all figures here.")
@click.option("--plot", "plot_path", type=FILE, help="Draw rate, latency and students over time here (.png, .svg).")
@click.pass_context
def load_command(
    ctx: click.Context,
    /,
    url: str,
    texts: str,
    text_column: str,
    label_column: str | None,
    model: str,
    protocol: str,
    headers: tuple[str, ...],
    objective: float | None,
    timeout: float,
    connections: int,
    seed: int,
    json_path: Path | None,
    plot_path: Path | None,
    **arrivals: Any,
) -> None:
    """Send texts to the server at URL, when they are due, whatever it does, and report what came back.

    Give --rate (and --burst-rate for on-off bursts) or --trace.
    """
    refuse_ignored(ctx)
    if protocol == "embed" and label_column is not None:
        raise click.UsageError("--label-column: answers of --protocol embed have no labels to score")
    from rich.console import Console

    from phalanx_load import Load, LoadError, Target
    from phalanx_load.session import run_session

    console = Console()
    try:
        _check_outputs(json_path, plot_path)
        schedule = schedule_of(Arrivals(**arrivals), seed=seed)
        target = Target(url=url, protocol=protocol, model=model, headers=dict(_header(text) for text in headers))
        samples = samples_of(texts, text_column=text_column, label_column=label_column)
        load = Load(target=target, samples=samples, seed=seed, timeout_s=timeout, connections=connections)
        report = asyncio.run(run_session(load, schedule, console=console, objective_s=objective))
        _show(report, console, json_path, plot_path)
    except (LoadError, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    sys.exit(INTERRUPTED if report.interrupted else 0)


def _show(report: Report, console: Console, json_path: Path | None, plot_path: Path | None) -> None:
    """The table, the warnings, and the files."""
    from rich.markup import escape

    from phalanx_load.report import encode, footer_of, table_of

    console.print(table_of(report))
    console.print(footer_of(report), highlight=False)
    for warning in report.warnings:
        # It may hold the server's own words: not for the terminal to obey.
        console.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True, highlight=False)
    if json_path is not None:
        json_path.write_bytes(encode(report))
        console.print(f"figures: {json_path}", highlight=False, markup=False)
    if plot_path is not None and report.series:
        from phalanx_load.report.plot import plot

        plot(report, plot_path)
        console.print(f"picture: {plot_path}", highlight=False, markup=False)


def _check_outputs(json_path: Path | None, plot_path: Path | None) -> None:
    """Find out before the run what could not be written after it."""
    from phalanx_load import LoadError

    for option, path in (("--json", json_path), ("--plot", plot_path)):
        if path is not None and not path.absolute().parent.is_dir():
            raise LoadError(f"{option} {path}: there is no folder {path.parent}; make it first")
        if path is not None and path.is_dir():
            raise LoadError(f"{option} {path}: is a folder; name a file")
        if path is not None:
            _check_writable(option, path)
    if plot_path is not None:
        _check_plot(plot_path)


def _check_writable(option: str, path: Path) -> None:
    """Open a file for writing, and leave everything as it was."""
    from phalanx_load import LoadError

    if path.exists() and not path.is_file():  # a pipe or a device: opening it would be felt at its other end
        return
    there = path.exists()
    try:
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise LoadError(f"{option} {path}: {error.strerror or error}") from error


def _check_plot(path: Path) -> None:
    from phalanx_load import LoadError

    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise LoadError("--plot needs matplotlib: run pip install '.[bench]' in the repository") from error
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise LoadError(f"--plot {path}: the name has to end in .png, .svg or .pdf")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"--header {text}: write NAME:VALUE")
    return name.strip(), value.strip()
