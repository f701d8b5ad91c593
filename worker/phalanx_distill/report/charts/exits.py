"""Early exits: what is paid for the texts that leave at a ramp."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx_distill.detail import ExitReading
from phalanx_distill.report.charts.axes import room, shares
from phalanx_distill.report.drawing import Drawing
from phalanx_distill.report.style import SEQUENCE


def exit_chart(readings: Sequence[ExitReading]) -> str:
    """Agreement and accuracy against the share of texts that leave, for one student, half of them, and all."""
    drawing = Drawing("exits", columns=2, width=7.6, height=3.0)
    most = max(entry.students for entry in readings)
    chosen = sorted({1, (most + 1) // 2, most})
    with drawing.panels() as (left, right):
        for colour, students in zip(SEQUENCE, chosen, strict=False):
            own = [entry for entry in readings if entry.students == students]
            at = [sum(entry.left) for entry in own]
            for ax, values in ((left, [e.agreement for e in own]), (right, [e.accuracy for e in own])):
                ax.plot(at, values, "o-", ms=3.5, color=colour, label=f"k = {students}")
        for ax, title in ((left, "Same answer as at full depth"), (right, "Accuracy")):
            ax.set(title=title, xlabel="texts that leave early", xlim=(-0.02, 1.02))
            shares(ax)
            shares(ax, axis="x", decimals=0)
            room(ax, below=0.1)
            ax.legend(loc="lower left")
    return drawing.svg
