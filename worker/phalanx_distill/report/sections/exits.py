"""Ramps and what leaving early costs."""

from __future__ import annotations

from phalanx_distill.detail import ExitReading
from phalanx_distill.report.blocks import Block, Figure, Folded, Prose, Section, Table, row
from phalanx_distill.report.charts.exits import exit_chart
from phalanx_distill.report.document import Report
from phalanx_distill.report.sections import NOT_RECORDED
from phalanx_distill.report.words import percent


def exits_section(report: Report) -> Section | None:
    """The trade by threshold, and every ramp by itself; None for a grid without ramps."""
    if not report.measured.ramps:
        return None
    detail = report.notes.detail
    blocks: list[Block] = [
        Prose(
            "A text leaves at the first ramp whose 1 - confidence lies below the threshold, which the operator chooses."
        )
    ]
    if detail is None or not detail.exits:
        blocks.append(NOT_RECORDED)
    else:
        most = max(entry.students for entry in detail.exits)
        own = [entry for entry in detail.exits if entry.students == most]
        blocks += [_figure(detail.exits, own), _table(own)]
    blocks.append(Folded("Each ramp by itself, if all texts left there", (_ramps(report),)))
    return Section("exits", "Early exits", tuple(blocks))


def _figure(readings: tuple[ExitReading, ...], own: list[ExitReading]) -> Figure:
    strict = [entry for entry in own if entry.agreement >= 0.99]
    best = max(strict, key=lambda entry: sum(entry.left), default=None)
    alt = "Agreement with full depth and accuracy against the share of texts that leave early."
    if best is not None and sum(best.left) > 0:
        alt += f" With all students {percent(sum(best.left))} leave while 99 % of the answers stay the same."
    return Figure(exit_chart(readings), alt, "One dot for each threshold that the operator may choose.")


def _table(own: list[ExitReading]) -> Table:
    ramps = len(own[0].left)
    by_ramp = [f"after row {at}" for at in range(ramps)] if ramps > 1 else []
    return Table(
        f"All {own[0].students} students, the same threshold at every ramp",
        ("threshold", "leave early", *by_ramp, "accuracy", "same answer as at full depth"),
        tuple(
            row(
                f"{entry.threshold:g}",
                percent(sum(entry.left)),
                *(percent(share) for share in (entry.left if ramps > 1 else ())),
                percent(entry.accuracy),
                percent(entry.agreement),
            )
            for entry in own
        ),
    )


def _ramps(report: Report) -> Table:
    return Table(
        "Ramps on held-out rows",
        ("after row", "students", "accuracy", "same answer as at full depth"),
        tuple(
            row(str(entry.row), str(entry.students), percent(entry.accuracy), percent(entry.agreement))
            for entry in report.measured.ramps
        ),
    )
