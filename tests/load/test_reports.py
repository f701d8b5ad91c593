"""What is made of a record: figures that add up, JSON that comes back, a table that fits, a picture."""

from __future__ import annotations

import io
import json
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from rich.console import Console

from phalanx_load import Load, Record, Report, Sample, Schedule, Span, Target, make_report
from phalanx_load.report import decode, encode, footer_of, table_of
from phalanx_load.report.plot import draw_latency, draw_rate, draw_students, plot
from phalanx_load.report.progress import Progress
from phalanx_load.run import Status

STATUSES = (200, 429, 500, Status.TIMED_OUT, Status.BROKEN, Status.OPEN, Status.NOT_SENT)


@st.composite
def runs(draw: st.DrawFn) -> tuple[Schedule, Record]:
    """A schedule of two phases, one of them in two spans, and any record of it."""
    due_s = array("d", sorted(draw(st.lists(st.floats(0, 5.99), min_size=1, max_size=60))))
    spans = tuple(
        Span(name=name, start_s=2.0 * n, end_s=2.0 * n + 2) for n, name in enumerate(("calm", "burst", "calm"))
    )
    record = Record(due_s)
    for index in range(len(due_s)):
        status = draw(st.sampled_from(STATUSES))
        if status != Status.NOT_SENT:
            record.late_s[index] = 0.001
        record.status[index] = status
        if status != Status.NOT_SENT:
            record.latency_s[index] = draw(st.floats(0.001, 2))
        if status == 200:
            record.students[index] = draw(st.integers(1, 4))
            record.correct[index] = draw(st.integers(0, 1))
            record.early[index] = draw(st.integers(0, 1))
    return Schedule(due_s, spans), record


def reported(schedule: Schedule, record: Record) -> Report:
    load = Load(target=Target(url="http://host"), samples=(Sample("a"),))
    return make_report(load, schedule, record, date="2026-01-01T00:00:00Z", objective_s=0.5)


@given(runs())
def test_every_sent_request_is_in_one_place_of_the_report(run: tuple[Schedule, Record]) -> None:
    schedule, record = run
    report = reported(schedule, record)
    sent = sum(status != Status.NOT_SENT for status in record.status)
    for count in ("offered", "answered", "refused", "lost"):
        parts = [getattr(phase, count) for phase in report.phases]
        slices = [getattr(second, count) for second in report.series]
        assert sum(parts) == sum(slices) == getattr(report.all, count)
    assert report.all.offered == sent == sum(report.all.statuses.values())
    still_open = report.all.statuses.get("unanswered", 0)
    assert report.all.answered + report.all.refused + report.all.lost + still_open == sent


@given(runs())
def test_a_report_survives_json(run: tuple[Schedule, Record]) -> None:
    report = reported(*run)
    assert decode(encode(report)) == report


@given(runs())
def test_a_table_is_as_wide_as_a_terminal_at_most(run: tuple[Schedule, Record]) -> None:
    report = reported(*run)
    console = Console(width=80, file=io.StringIO())
    assert console.measure(table_of(report)).maximum <= 80
    assert footer_of(report)


@given(runs())
def test_the_share_over_the_objective_counts_lost_requests_and_leaves_refused_ones_out(
    run: tuple[Schedule, Record],
) -> None:
    schedule, record = run
    report = reported(schedule, record)
    slow = [s for s, t in zip(record.status, record.latency_s, strict=True) if t > 0.5]
    late = slow.count(200) + slow.count(Status.OPEN)
    taken = report.all.answered + report.all.lost + slow.count(Status.OPEN)
    assert report.all.missed == pytest.approx((late + report.all.lost) / taken if taken else 0.0)


def run_of(*outcomes: tuple[int, float]) -> tuple[Schedule, Record]:
    """One request a second, with its status and its latency in seconds."""
    due_s = array("d", range(len(outcomes)))
    record = Record(due_s)
    for index, (status, latency_s) in enumerate(outcomes):
        record.late_s[index], record.status[index], record.latency_s[index] = 0.0, status, latency_s
    return Schedule(due_s, (Span(name="steady", start_s=0.0, end_s=float(len(outcomes))),)), record


def test_what_an_interruption_left_open_counts_with_its_age() -> None:
    report = reported(*run_of((200, 0.1), (Status.OPEN, 3.0), (Status.OPEN, 2.0), (Status.OPEN, 0.4)))
    assert report.all.latency is not None
    assert (report.all.latency.p50_ms, report.all.latency.max_ms) == (400, 3000)
    # Of the objective's 0.5 s two were kept waiting for longer, one was answered in time, and of the last nobody knows.
    assert report.all.missed == pytest.approx(2 / 3)
    assert (report.all.lost, report.all.statuses["unanswered"]) == (0, 3)
    assert any("3 requests were still unanswered at the end" in warning for warning in report.warnings)


def test_requests_that_are_all_due_at_once_have_no_rate() -> None:
    due_s = array("d", [0.0, 0.0])
    record = Record(due_s)
    for index in range(2):
        record.late_s[index], record.status[index], record.latency_s[index] = 0.0, 200, 0.01
    report = reported(Schedule(due_s, (Span(name="trace", start_s=0.0, end_s=5e-324),)), record)
    assert (report.all.offered, report.all.offered_per_s, report.all.answered_per_s) == (2, None, None)
    assert json.loads(encode(report))["all"]["offered_per_s"] is None
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table_of(report))
    assert "inf" not in console.export_text()


def small_run() -> tuple[Schedule, Record]:
    due_s = array("d", [0.1, 0.6, 1.2, 2.5, 2.6, 4.5])
    spans = (Span(name="calm", start_s=0, end_s=2), Span(name="burst", start_s=2, end_s=5))
    record = Record(due_s)
    for index, (latency_s, students) in enumerate([(0.02, 4), (0.03, 4), (0.02, 4), (0.3, 2), (0.2, 1), (0.04, 3)]):
        record.late_s[index], record.latency_s[index], record.status[index] = 0.0005, latency_s, 200
        record.students[index], record.correct[index] = students, index % 2
    record.status[4] = 429
    return Schedule(due_s, spans), record


def test_json_has_the_form_that_is_documented() -> None:
    data = json.loads(encode(reported(*small_run())))
    assert data["form"] == "phalanx.load/v1"
    assert [phase["name"] for phase in data["phases"]] == ["calm", "burst"]
    burst = data["phases"][1]
    assert (burst["offered"], burst["answered"], burst["refused"], burst["lost"]) == (3, 2, 1, 0)
    assert burst["statuses"] == {"200": 2, "429": 1}
    assert burst["offered_per_s"] == pytest.approx(1.0)
    assert burst["latency"]["p99_ms"] == pytest.approx(300)
    assert burst["late"]["max_ms"] == pytest.approx(0.5)
    assert burst["students"] == {"mean": 2.0, "least": 1, "most": 3, "answers": {"1": 1, "2": 1, "3": 1}}
    assert burst["accuracy"]["by_students"]["2"] == {"scored": 1, "right": 1}
    assert [second["at_s"] for second in data["series"]] == [0, 1, 2, 3, 4]
    assert data["series"][3]["p99_ms"] is None


def test_a_clean_run_has_no_warnings() -> None:
    assert reported(*small_run()).warnings == ()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_is_drawn_with_students_and_without(tmp_path: Path, suffix: str) -> None:
    schedule, record = small_run()
    with_students, without = tmp_path / f"with{suffix}", tmp_path / f"without{suffix}"
    plot(reported(schedule, record), with_students)
    for index in range(len(record)):
        record.students[index] = -1
    plot(reported(schedule, record), without)
    assert with_students.stat().st_size > without.stat().st_size > 1000


def lines_of(report: Report) -> tuple[Axes, Axes, Axes]:
    """The panels as they are drawn: rate, latency, students."""
    rate, latency, students = Figure().subplots(3, 1)
    draw_rate(rate, report)
    draw_latency(latency, report)
    draw_students(students, report)
    return rate, latency, students


def rates_of(report: Report) -> tuple[list[float], list[float]]:
    """The rates that are drawn, and the edges between them."""
    stairs = lines_of(report)[0].patches[0]
    assert isinstance(stairs, StepPatch)
    values, edges, _ = stairs.get_data()
    return list(values), list(edges)


@pytest.mark.parametrize(
    ("answered", "dots"), [({0, 1, 2, 3, 4}, []), ({0, 2, 3, 4}, [0]), ({0, 2, 4}, [0, 2, 4]), ({2}, [2])]
)
def test_a_second_with_none_beside_it_is_a_dot(answered: set[int], dots: list[int]) -> None:
    schedule, record = run_of(*[(200 if second in answered else 429, 0.1) for second in range(5)])
    for second in answered:
        record.students[second] = 2
    _, latency, students = lines_of(reported(schedule, record))
    for line in (*latency.lines[:2], *students.lines):
        assert (line.get_marker(), line.get_markevery()) == (("o", dots) if dots else ("None", None))


def test_a_run_of_one_slice_shows_something() -> None:
    schedule, record = run_of((200, 0.1))
    record.students[0] = 3
    _, latency, students = lines_of(reported(schedule, record))
    assert [line.get_marker() for line in (*latency.lines[:2], *students.lines)] == ["o"] * 3


@pytest.mark.parametrize(
    ("end_s", "rates", "last_edge"),
    [
        (3.0, [1, 1, 1], 3.0),
        (2.5, [1, 1, 2], 2.5),
        (2.01, [1, 1, 1], 3.0),  # next to no width: one request would be a hundred a second
    ],
)
def test_a_last_slice_that_is_cut_has_the_rate_of_its_own_width(
    end_s: float, rates: list[float], last_edge: float
) -> None:
    schedule, record = run_of(*[(200, 0.1)] * 3)
    for index in range(3):
        record.students[index] = 1
    cut = Schedule(schedule.due_s, (Span(name="steady", start_s=0.0, end_s=end_s),))
    values, edges = rates_of(reported(cut, record))
    assert values == pytest.approx(rates)
    assert edges == pytest.approx([0, 1, 2, last_edge])


def test_an_interrupted_run_has_the_rates_of_the_time_it_took() -> None:
    schedule, record = small_run()
    record.stopped_s = schedule.due_s[2] + 0.01
    for index in range(3, len(record)):
        record.status[index] = Status.NOT_SENT
    report = reported(schedule, record)
    assert report.interrupted
    assert report.all.seconds == pytest.approx(record.stopped_s)
    assert report.all.offered_per_s == pytest.approx(3 / record.stopped_s)
    assert report.stretches[-1].end_s == pytest.approx(record.stopped_s)


def test_progress_that_nobody_draws_keeps_only_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    _, record = small_run()
    answered = [index for index in range(6) if record.status[index] == 200]
    progress, now_s = Progress(total=1000, seconds=1000), 0.0
    monkeypatch.setattr("phalanx_load.report.progress.time.monotonic", lambda: now_s)
    for second in range(100):
        now_s = float(second)
        progress.take(record, answered[0], second)
    assert len(progress._recent) <= 4


def test_progress_shows_what_was_sent_answered_and_lost() -> None:
    _, record = small_run()
    progress = Progress(total=6, seconds=5)
    for index in range(6):
        progress.take(record, index, index + 1)
    line = progress.__rich__().plain
    assert "sent 6/6" in line
    assert "answered 5" in line
    assert "p50 30 ms, p99 300 ms" in line
    assert "k 3" in line
    assert "errors 1" in line
