"""What accuracy costs in time: teacher and every number of students."""

from __future__ import annotations

from phalanx_distill.cost import Cost, Price
from phalanx_distill.report.charts.axes import MANY, room, shares
from phalanx_distill.report.drawing import Drawing
from phalanx_distill.report.style import BLUE, GREEN
from phalanx_grid import Accuracy, Interval, StudentAccuracy


def price_chart(cost: Cost, accuracy: Accuracy) -> str:
    """Accuracy with its interval against the milliseconds of a single text, with their spread."""
    drawing = Drawing("price", width=6.2, height=3.2)
    by_k: dict[int, StudentAccuracy | Interval] = {entry.students: entry for entry in accuracy.by_k}
    if accuracy.teacher is not None:
        by_k[0] = accuracy.teacher
    priced = [(price, by_k[price.students]) for price in cost.prices if price.students in by_k]
    with drawing.panels() as (ax,):
        own = [(price, share) for price, share in priced if price.students]
        ax.plot([price.ms for price, _ in own], [share.accuracy for _, share in own], color=BLUE, lw=1)
        for price, share in priced:
            colour = BLUE if price.students else GREEN
            ax.errorbar(
                price.ms,
                share.accuracy,
                xerr=[[price.ms - price.ms_low], [price.ms_high - price.ms]],
                yerr=[[share.accuracy - share.low], [share.high - share.accuracy]],
                fmt="o" if price.students else "D",
                color=colour,
                ms=5,
                elinewidth=1,
            )
            if not price.students or len(own) <= MANY or price.students in (1, len(own)):
                ax.annotate(
                    _name(price), (price.ms, share.accuracy), xytext=(6, 6), textcoords="offset points", color=colour
                )
        ax.set(xlabel="milliseconds of a single text", xlim=(0, 1.12 * max(price.ms_high for price, _ in priced)))
        shares(ax)
        room(ax, above=0.05)
    return drawing.svg


def _name(price: Price) -> str:
    return f"k = {price.students}" if price.students else "teacher"
