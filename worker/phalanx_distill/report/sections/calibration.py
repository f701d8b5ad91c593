"""Calibration."""

from __future__ import annotations

from phalanx_distill.report.blocks import Figure, Section, Table, row
from phalanx_distill.report.charts.calibration import reliability_chart, shown
from phalanx_distill.report.document import Report
from phalanx_distill.report.sections import NOT_RECORDED
from phalanx_distill.report.words import percent


def calibration_section(report: Report) -> Section:
    """Reliability plots and the expected calibration error of the teacher and every k."""
    title, detail = "Calibration", report.notes.detail
    if detail is None:
        return Section("calibration", title, (NOT_RECORDED,))
    readings = detail.reliability
    errors = [(str(each.students) if each.students else "teacher", each) for each in readings]
    table = Table(
        "Confidence against right answers",
        ("students", "mean confidence", "right", "expected calibration error"),
        tuple(row(name, percent(each.confidence), percent(each.right), percent(each.error)) for name, each in errors),
        note="Expected calibration error: the mean distance of confidence and share of right answers over 15 bins"
        " (Guo et al. 2017). Early exits trust these confidences.",
    )
    figure = Figure(
        reliability_chart(readings),
        "Reliability plots. Calibration error: "
        + ", ".join(f"{name} {percent(each.error)}" for name, each in errors)
        + ".",
        "Each dot is a bin of answers of like confidence, its area their number. On the dotted line answers are right"
        " as often as they are sure; below it they are too sure."
        + (" Of many students the first and the last are drawn." if len(shown(readings)) < len(readings) else ""),
    )
    return Section("calibration", title, (figure, table))
