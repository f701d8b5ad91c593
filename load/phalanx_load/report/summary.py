"""A record in figures, by phase and by second. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phalanx_load.arrivals import Schedule, Span, spans_until
from phalanx_load.report.figures import Accuracy, PhaseReport, Report, Second, Share, Stretch, Students
from phalanx_load.report.percentiles import latency_of, percentile
from phalanx_load.report.warnings import BROKEN, UNANSWERED, warnings_of
from phalanx_load.run.open_loop import Load
from phalanx_load.run.record import UNKNOWN, Record, Status

OK, REFUSED = 200, 429
_NAMES = {Status.OPEN: UNANSWERED, Status.TIMED_OUT: "timed out", Status.BROKEN: BROKEN}
_COUNTED = frozenset({OK, Status.TIMED_OUT, Status.BROKEN, Status.OPEN})
"""Statuses whose latency counts. A refusal is quick, and would make the percentiles look better.

Requests that an interruption left open count with their age: who presses Ctrl-C because nothing comes back any more is
to see that in the figures.
"""


def make_report(
    load: Load,
    schedule: Schedule,
    record: Record,
    *,
    date: str,
    objective_s: float | None = None,
    slice_s: float = 1.0,
) -> Report:
    """All figures of a run, up to where it was ended; `date` is that of its start, in ISO 8601."""
    spans = schedule.spans if record.stopped_s is None else spans_until(schedule.spans, record.stopped_s)
    names = tuple(dict.fromkeys(span.name for span in spans))
    phases = tuple(_phase([s for s in spans if s.name == name], schedule, record, objective_s) for name in names)
    total = _phase(spans, schedule, record, objective_s, name="all")
    return Report(
        url=load.target.url,
        protocol=load.target.protocol,
        model=load.target.model,
        seed=load.seed,
        date=date,
        objective_ms=None if objective_s is None else 1000 * objective_s,
        interrupted=record.interrupted,
        slice_s=slice_s,
        phases=tuple(phase for phase in phases if phase.offered),
        all=total,
        series=series_of(record, end_s=spans[-1].end_s, slice_s=slice_s),
        stretches=tuple(Stretch(name=s.name, start_s=s.start_s, end_s=s.end_s) for s in spans),
        warnings=warnings_of(record, total, load=load),
    )


def _phase(
    spans: Sequence[Span], schedule: Schedule, record: Record, objective_s: float | None, *, name: str = ""
) -> PhaseReport:
    """Spans together, under their own name unless another is given."""
    view = View.of(record, (index for span in spans for index in schedule.within(span)))
    return PhaseReport(
        name=name or spans[0].name,
        seconds=sum(span.seconds for span in spans),
        offered=len(view.sent),
        answered=view.count(OK),
        refused=view.count(REFUSED),
        lost=view.lost,
        statuses=view.statuses(),
        latency=latency_of(view.latencies()),
        late=latency_of(record.late_s[index] for index in view.sent),
        students=view.students(),
        early_exits=view.early_exits(),
        accuracy=view.accuracy(),
        missed=None if objective_s is None else view.missed(objective_s),
    )


@dataclass(frozen=True, slots=True)
class View:
    """Some requests of a record: those of `sent`, by number."""

    record: Record
    sent: Sequence[int]

    @classmethod
    def of(cls, record: Record, indices: Iterable[int]) -> View:
        """Those of the requests that were sent."""
        return cls(record, [index for index in indices if record.status[index] != Status.NOT_SENT])

    def count(self, status: int) -> int:
        """How many ended so."""
        return sum(self.record.status[index] == status for index in self.sent)

    @property
    def lost(self) -> int:
        """How many got no answer, and no word that there is too much to do either."""
        return sum(self.record.status[index] not in (OK, REFUSED, Status.OPEN) for index in self.sent)

    def statuses(self) -> dict[str, int]:
        """How many ended in each way."""
        counts = Counter(self.record.status[index] for index in self.sent)
        return {
            _NAMES.get(Status(status), "") if status < 0 else str(status): n for status, n in sorted(counts.items())
        }

    def latencies(self) -> list[float]:
        """Seconds of those that count."""
        record = self.record
        return [record.latency_s[index] for index in self.sent if record.status[index] in _COUNTED]

    def students(self) -> Students | None:
        """Voters of the answers."""
        told = [self.record.students[i] for i in self.sent if self.record.students[i] != UNKNOWN]
        if not told:
            return None
        answers = dict(sorted(Counter(told).items()))
        return Students(mean=sum(told) / len(told), least=min(told), most=max(told), answers=answers)

    def early_exits(self) -> float | None:
        """The share of answers that left at a ramp; None where no answer says how it was made."""
        told = [index for index in self.sent if self.record.students[index] != UNKNOWN]
        return sum(self.record.early[index] for index in told) / len(told) if told else None

    def accuracy(self) -> Accuracy | None:
        """Right answers among those that were held against a label."""
        scored = [index for index in self.sent if self.record.correct[index] != UNKNOWN]
        if not scored:
            return None
        by_students: dict[int, list[int]] = {}
        for index in scored:
            if self.record.students[index] != UNKNOWN:
                by_students.setdefault(self.record.students[index], []).append(index)
        return Accuracy(
            all=self._share(scored),
            by_students={students: self._share(group) for students, group in sorted(by_students.items())},
        )

    def missed(self, objective_s: float) -> float:
        """The share, of those that were not refused, that took longer than the objective or were lost.

        What was left open is late if it was older than the objective; else nobody can tell, and it is in neither part.
        """
        status, latency_s = self.record.status, self.record.latency_s
        late = [status[i] not in (OK, Status.OPEN) or latency_s[i] > objective_s for i in self._telling(objective_s)]
        return sum(late) / len(late) if late else 0.0

    def _telling(self, objective_s: float) -> list[int]:
        """The requests that say anything on the objective."""
        status, latency_s = self.record.status, self.record.latency_s
        taken = [index for index in self.sent if status[index] != REFUSED]
        return [index for index in taken if status[index] != Status.OPEN or latency_s[index] > objective_s]

    def _share(self, indices: Sequence[int]) -> Share:
        return Share(scored=len(indices), right=sum(self.record.correct[index] for index in indices))


def series_of(record: Record, *, end_s: float, slice_s: float) -> tuple[Second, ...]:
    """The run in slices of time, by when requests were due; up to the last that was sent."""
    slices: list[Second] = []
    start = 0
    for place in range(1, int(-(-end_s // slice_s)) + 1):
        end = bisect_left(record.due_s, place * slice_s)
        slices.append(_second((place - 1) * slice_s, View.of(record, range(start, end))))
        start = end
    while slices and not slices[-1].offered:
        slices.pop()
    return tuple(slices)


def _second(at_s: float, view: View) -> Second:
    ordered, students = sorted(view.latencies()), view.students()
    return Second(
        at_s=at_s,
        offered=len(view.sent),
        answered=view.count(OK),
        refused=view.count(REFUSED),
        lost=view.lost,
        p50_ms=1000 * percentile(ordered, 0.5) if ordered else None,
        p99_ms=1000 * percentile(ordered, 0.99) if ordered else None,
        students_mean=students.mean if students else None,
        students_least=students.least if students else None,
        students_most=students.most if students else None,
    )
