"""From the options of `phalanx bench load` to a schedule and to texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from phalanx_load import Sample, Schedule

SECONDS: Final = 30.0
"""How long a run is where nobody says."""

_ONLY_WITH: Final = {
    "burst_seconds": "burst_rate",
    "calm_seconds": "burst_rate",
    "trace_speed": "trace",
    "trace_density": "trace",
}
"""Options that say something only where the other one is given."""

_ROWS: Final = (".jsonl", ".ndjson", ".csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrivals:
    """The options on when requests are due; rates in requests a second."""

    rate: float | None
    seconds: float | None
    requests: int | None
    burst_rate: float | None
    burst_seconds: float
    calm_seconds: float
    trace: Path | None
    trace_speed: float
    trace_density: float


def refuse_ignored(ctx: click.Context) -> None:
    """Refuse what would change nothing: the run would be another one than its user believes.

    Raises:
        click.UsageError: an option lacks the one that it goes with.
    """
    for name, other in _ONLY_WITH.items():
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and ctx.params[other] is None:
            given, missing = (f"--{each.replace('_', '-')}" for each in (name, other))
            raise click.UsageError(f"{given} goes with {missing}: without it, it says nothing")


def schedule_of(options: Arrivals, *, seed: int) -> Schedule:
    """The schedule that the options describe.

    Raises:
        click.UsageError: they do not go together. LoadError: nothing, or too much, is to be sent.
    """
    if (options.rate is None) == (options.trace is None):
        raise click.UsageError("give either --rate or --trace")
    if options.trace is not None:
        if options.burst_rate is not None:
            raise click.UsageError("--burst-rate goes with --rate: a trace has its own bursts")
        return _replayed(options, options.trace, seed)
    assert options.rate is not None
    return _drawn(options, options.rate, seed)


def _replayed(options: Arrivals, trace: Path, seed: int) -> Schedule:
    from phalanx_load import LoadError
    from phalanx_load.arrivals import read_trace, replay

    try:
        slots = read_trace(trace.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise LoadError(f"{trace}: {error.strerror or error}") from error
    except (LoadError, UnicodeDecodeError) as error:
        raise LoadError(f"{trace}: {error}") from error
    return replay(
        slots,
        seed=seed,
        speed=options.trace_speed,
        density=options.trace_density,
        requests=options.requests,
        seconds=options.seconds,
    )


def _drawn(options: Arrivals, rate: float, seed: int) -> Schedule:
    from phalanx_load import Phase, poisson, square_wave

    seconds = SECONDS if options.seconds is None else options.seconds
    phases: tuple[Phase, ...] = (Phase(name="steady", seconds=seconds, rate=rate),)
    if options.burst_rate is not None:
        phases = square_wave(
            calm_rate=rate,
            burst_rate=options.burst_rate,
            calm_s=options.calm_seconds,
            burst_s=options.burst_seconds,
            seconds=seconds,
        )
    return poisson(phases, seed=seed, requests=options.requests)


def samples_of(texts: str, *, text_column: str, label_column: str | None) -> list[Sample]:
    """The texts to send, with labels if they are to be scored.

    Of a packaged set only the held-out rows are sent: a model that was distilled on the others would look too good.

    Raises:
        LoadError: there are none, or not in the form that their file's name promises.
    """
    from phalanx_distill.config import SplitSettings
    from phalanx_distill.data import read_rows, read_texts
    from phalanx_distill.errors import DistillError
    from phalanx_distill.packaged import SETS, packaged_rows
    from phalanx_distill.prepare import prepare
    from phalanx_load import LoadError, Sample

    path = Path(texts)
    try:
        if texts in SETS:
            rows = prepare(packaged_rows(texts), SplitSettings()).parts.test
        elif path.suffix.lower() in _ROWS:
            # Without labels any column serves as one: they are not looked at.
            label = label_column or text_column
            rows = read_rows(path, text_column=text_column, label_column=label).rows
        elif label_column is not None:
            raise LoadError(f"--label-column: {texts} has no columns; give a .jsonl or .csv file")
        else:
            return [Sample(text) for text in read_texts(path)]
    except DistillError as error:
        raise LoadError(str(error)) from error
    return [Sample(row.text, row.label if label_column is not None else "") for row in rows]
