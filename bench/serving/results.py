"""From what was measured to figures, and to the reports that the pictures are made from."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.record import RESULTS, Figure, write
from bench.serving.measured import FIXED, ONE, Drive, Measured
from bench.serving.plots import draw_all
from bench.serving.scale import BURSTING, OBJECTIVE_S
from phalanx_load import Span
from phalanx_load.report import encode
from phalanx_load.report.percentiles import percentile
from phalanx_load.report.summary import View

SETTLED_S = 5.0
"""From so long after a burst on, all students are to be back."""


def save(found: Measured, *, folder: Path | None = None) -> Path:
    """Write figures, reports and pictures: to bench/results and docs/img, or all to a folder."""
    results = RESULTS if folder is None else folder
    reports = results / "serving"
    reports.mkdir(parents=True, exist_ok=True)
    for name, drives in found.bursts.items():
        (reports / f"burst-{name}.json").write_bytes(encode(drives[-1].report))
    path = write("serving", figures_of(found), folder=results)
    draw_all(results, Path("docs/img") if folder is None else folder)
    return path


def figures_of(found: Measured) -> dict[str, Figure]:
    """All figures of a run; `NAME:LOAD:what` for a worker under a load, a burst's for the bursts alone."""
    figures = {"objective": _exact(1000 * OBJECTIVE_S, "ms"), "students": _exact(found.students, "students")}
    figures |= _capacity(found)
    for (name, share), drive in found.loads.items():
        figures |= _of_drives(f"{name}:{100 * share:.0f}", found, [drive], _thirds(drive))
    for name, drives in found.bursts.items():
        figures |= _of_drives(f"{name}:burst", found, drives, [(d, span) for d in drives for span in _bursts(d)])
        figures |= _recovery(f"{name}:burst", found.students, drives)
    return figures


def _capacity(found: Measured) -> dict[str, Figure]:
    units = {"server": "texts/s", "engine": "texts/s", "ratio": "share", "busy": "share", "batch_texts": "texts"}
    return {
        f"capacity:{name}:{what}": _spread([getattr(each, what) for each in found.rounds[name]], unit)
        for name in (FIXED, ONE)
        for what, unit in units.items()
    }


def _of_drives(
    key: str, found: Measured, drives: Sequence[Drive], parts: Sequence[tuple[Drive, Span]]
) -> dict[str, Figure]:
    """Latency, students and accuracy of the parts; what was sent, refused and lost in the whole runs."""
    views = [View.of(drive.record, drive.schedule.within(span)) for drive, span in parts]
    figures = {
        "p50": _percentile(views, 0.50),
        "p99": _percentile(views, 0.99),
        "missed": _missed(views),
        "students": _students(views),
        "spent": _spread([100 * _spent(found, drive, span) for drive, span in parts], "points"),
        "whole_p99": _spread([_percentile([_whole(drive)], 0.99).value for drive in drives], "ms"),
        "sent": _exact(sum(drive.report.all.offered for drive in drives), "requests"),
        "refused": _exact(sum(drive.report.all.refused for drive in drives), "requests"),
        "lost": _exact(sum(drive.report.all.lost for drive in drives), "requests"),
    }
    return {f"{key}:{name}": figure for name, figure in figures.items()}


def _whole(drive: Drive) -> View:
    return View.of(drive.record, range(len(drive.record)))


def _percentile(views: Sequence[View], share: float) -> Figure:
    """Of all parts together; the bounds are those of the single parts."""
    each = [latencies for view in views if (latencies := sorted(view.latencies()))]
    together = sorted(latency for part in each for latency in part)
    bounds = [1000 * percentile(part, share) for part in each]
    return Figure(value=1000 * percentile(together, share), low=min(bounds), high=max(bounds), unit="ms")


def _missed(views: Sequence[View]) -> Figure:
    """Later than the objective, or lost."""
    each = [(view.missed(OBJECTIVE_S), len(view.sent)) for view in views]
    mean = sum(missed * count for missed, count in each) / sum(count for _, count in each)
    return Figure(
        value=mean, low=min(missed for missed, _ in each), high=max(missed for missed, _ in each), unit="share"
    )


def _students(views: Sequence[View]) -> Figure:
    """Their mean over answers; the bounds are the fewest and the most of any answer."""
    told = [students for view in views if (students := view.students()) is not None]
    answers = [(k, count) for students in told for k, count in students.answers.items()]
    mean = sum(k * count for k, count in answers) / sum(count for _, count in answers)
    least, most = min(k for k, _ in answers), max(k for k, _ in answers)
    return Figure(value=mean, low=least, high=most, unit="students")


def _spent(found: Measured, drive: Drive, span: Span) -> float:
    """Accuracy that fewer students cost on the texts that were answered in a span, against all students on them."""
    answered = [index for index in drive.schedule.within(span) if drive.record.correct[index] >= 0]
    full = sum(found.full_right[drive.samples[index]] for index in answered)
    return (full - sum(drive.record.correct[index] for index in answered)) / max(len(answered), 1)


def _recovery(key: str, ceiling: int, drives: Sequence[Drive]) -> dict[str, Figure]:
    """How long after the last burst all students answer again, and whether they stay."""
    back = [_seconds_to(ceiling, drive) for drive in drives]
    settled = [_share_at(ceiling, drive) for drive in drives]
    return {f"{key}:recovery": _spread(back, "s"), f"{key}:settled": _spread(settled, "share")}


def _seconds_to(ceiling: int, drive: Drive) -> float:
    """From the last burst's end to the first later request that all students answered, or to the end of the run."""
    record, burst = drive.record, _bursts(drive)[-1]
    after = range(drive.schedule.within(burst).stop, len(record))
    ends_s = (record.due_s[i] + record.latency_s[i] for i in after if record.students[i] == ceiling)
    return next(ends_s, drive.schedule.end_s) - burst.end_s


def _share_at(ceiling: int, drive: Drive) -> float:
    """The share of answers by all students, from `SETTLED_S` after the last burst to the end."""
    record, start_s = drive.record, _bursts(drive)[-1].end_s + min(SETTLED_S, drive.schedule.spans[-1].seconds / 2)
    told = [record.students[i] for i in range(len(record)) if record.due_s[i] >= start_s and record.students[i] > 0]
    return sum(students == ceiling for students in told) / len(told) if told else 0.0


def _bursts(drive: Drive) -> list[Span]:
    return [span for span in drive.schedule.spans if span.name == BURSTING]


def _thirds(drive: Drive) -> list[tuple[Drive, Span]]:
    third_s = drive.schedule.end_s / 3
    return [(drive, Span(name="load", start_s=n * third_s, end_s=(n + 1) * third_s)) for n in range(3)]


def _spread(values: Iterable[float], unit: str) -> Figure:
    ordered = sorted(values)
    return Figure(value=statistics.median(ordered), low=ordered[0], high=ordered[-1], unit=unit)


def _exact(value: float, unit: str) -> Figure:
    return Figure(value=value, low=value, high=value, unit=unit)
