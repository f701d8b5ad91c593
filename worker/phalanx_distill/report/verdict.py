"""The first sentence: is the ensemble as accurate as the budget asks, and how sure is that? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from phalanx_distill.intervals import Difference, paired_difference
from phalanx_distill.report.document import Report
from phalanx_distill.report.words import count, counted, percent, points

DEFAULT_BUDGET: Final = 0.01
"""Share of texts, where the run had no budget of its own: what the operator's `accuracy.loss` is by default."""


class Standing(Enum):
    """Where the paired difference to the teacher lies; the value is the badge's text."""

    KEPT = "within the budget"
    KEPT_PERHAPS = "within the budget as measured"
    MISSED_PERHAPS = "beyond the budget as measured"
    MISSED = "beyond the budget"
    UNKNOWN = "not compared"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The standing and the sentences that explain it, with their numbers."""

    standing: Standing
    sentence: str
    reason: str


def standing(difference: Difference, budget: float) -> Standing:
    """Judge the ensemble's accuracy less the teacher's: the interval decides how sure the judgement is."""
    if difference.value >= -budget:
        return Standing.KEPT if difference.low >= -budget else Standing.KEPT_PERHAPS
    return Standing.MISSED if difference.high < -budget else Standing.MISSED_PERHAPS


def budget_of(report: Report) -> float:
    """The accuracy that may be lost against the teacher, a share of texts."""
    chosen = report.notes.accuracy_budget
    return DEFAULT_BUDGET if chosen is None else chosen


def differences(report: Report) -> list[Difference]:
    """Accuracy of k = 1..K students less the teacher's, on the same rows; empty if they were not compared."""
    return [paired_difference(pairs) for pairs in report.measured.pairs]


def verdict(report: Report) -> Verdict:
    """What to think of the run, in two sentences."""
    accuracy, compared = report.measured.accuracy, differences(report)
    full, rows = accuracy.by_k[-1], count(accuracy.rows_evaluated)
    everyone = counted(full.students, "student")
    who = f"The adapter on all {everyone}" if report.kind == "adapter" else f"The full ensemble of {everyone}"
    said = f"{who} answers {percent(full.accuracy)} of {rows} held-out rows correctly"
    if accuracy.teacher is None:
        return Verdict(Standing.UNKNOWN, f"{said}.", f"95 % interval {percent(full.low)} to {percent(full.high)}.")
    taught = f"{said}, the teacher {percent(accuracy.teacher.accuracy)}"
    if not compared:
        return Verdict(Standing.UNKNOWN, f"{taught}.", "The run did not record on which rows the two differ.")
    judged = standing(compared[-1], budget_of(report))
    return Verdict(judged, f"{taught}: {how_far(compared[-1])}.", _reason(judged, report))


def how_far(difference: Difference) -> str:
    """A paired difference in words: 2.0 points less (95 % interval: 3.2 less to 0.8 less)."""
    return f"{_more_or_less(difference.value)} (95 % interval: {_bound(difference.low)} to {_bound(difference.high)})"


def _more_or_less(value: float) -> str:
    if value == 0:
        return "no difference"
    size = points(value) if abs(value) >= 0.0005 else "under 0.1\N{NO-BREAK SPACE}points"
    return f"{size} {'less' if value < 0 else 'more'}"


def _bound(value: float) -> str:
    size = f"{100 * abs(value):.1f}"
    return size if size == "0.0" else f"{size} {'less' if value < 0 else 'more'}"


def _reason(judged: Standing, report: Report) -> str:
    whose = "the default budget" if report.notes.accuracy_budget is None else "the run's budget"
    budget = f"{whose} of {points(budget_of(report))}"
    return {
        Standing.KEPT: f"The whole interval is within {budget}.",
        Standing.KEPT_PERHAPS: f"As measured that is within {budget}, but the interval reaches beyond it: "
        "more held-out rows would tell.",
        Standing.MISSED_PERHAPS: f"As measured that is beyond {budget}, but the interval reaches into it: "
        "more held-out rows would tell.",
        Standing.MISSED: f"The whole interval is beyond {budget}.",
        Standing.UNKNOWN: "",
    }[judged]
