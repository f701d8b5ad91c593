"""The figures of the serving benchmark, of runs whose truth is known."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from bench.render import rendered
from bench.serving.measured import FIXED, GUARD, ONE, Drive, Measured, Round
from bench.serving.results import figures_of
from bench.serving.scale import BURST, FULL, SHARES
from bench.serving.table import markdown
from phalanx_load import Load, Record, Sample, Schedule, Span, Target, make_report

RIGHT, WRONG = Sample("right with all", "yes"), Sample("wrong with all", "yes")


def drive(answers: list[tuple[float, float, int, int]]) -> Drive:
    """A run of 1 s calm, 2 s burst, 7 s after; an answer is (due, latency, students, correct), all of one text."""
    bounds = {"calm": (0.0, 1.0), "burst": (1.0, 3.0), "after": (3.0, 10.0)}
    spans = tuple(Span(name=name, start_s=start, end_s=end) for name, (start, end) in bounds.items())
    schedule = Schedule(array("d", [due_s for due_s, *_ in answers]), spans)
    record = Record(schedule.due_s)
    for index, (_, latency_s, students, correct) in enumerate(answers):
        record.late_s[index], record.latency_s[index], record.status[index] = 0.0, latency_s, 200
        record.students[index], record.correct[index] = students, correct
    load = Load(target=Target(url="http://host"), samples=(RIGHT,))
    report = make_report(load, schedule, record, date="2026-01-01T00:00:00Z", objective_s=0.15)
    return Drive(schedule=schedule, record=record, report=report, samples=[RIGHT] * len(answers))


def measured(burst: Drive) -> Measured:
    rounds = [Round(server=80 + n, engine=100, busy=0.9, batch_texts=8) for n in range(3)]
    loads = {(name, share): burst for name in (GUARD, FIXED) for share in SHARES}
    return Measured(
        students=4,
        rounds={FIXED: rounds, ONE: rounds},
        loads=loads,
        bursts={GUARD: [burst], FIXED: [burst]},
        full_right={RIGHT: True, WRONG: False},
    )


BURSTING = [(1.0, 0.2, 4, 1), (1.5, 0.1, 1, 1), (2.0, 0.1, 1, 0), (2.5, 0.1, 1, 0)]


def test_latency_and_accuracy_of_a_burst_are_those_of_its_requests_alone() -> None:
    figures = figures_of(measured(drive([(0.5, 9.0, 4, 0), *BURSTING, (4.0, 0.01, 4, 1)])))
    assert figures["guard:burst:p99"].value == pytest.approx(200)
    assert figures["guard:burst:whole_p99"].value == pytest.approx(9000)
    assert figures["guard:burst:missed"].value == 0.25
    # All students answer this text rightly; half of the burst's answers are wrong.
    assert figures["guard:burst:spent"].value == pytest.approx(50)
    assert (figures["guard:burst:students"].value, figures["guard:burst:students"].low) == (1.75, 1)


def test_recovery_ends_with_the_first_later_request_that_all_students_answer() -> None:
    late = [(3.1, 0.1, 1, 1), (4.0, 0.2, 3, 1), (5.0, 0.5, 4, 1), (9.0, 0.1, 4, 1), (9.5, 0.1, 3, 1)]
    figures = figures_of(measured(drive([*BURSTING, *late])))
    assert figures["guard:burst:recovery"].value == pytest.approx(2.5)
    assert figures["guard:burst:settled"].value == 0.5


def test_students_that_never_come_back_count_with_all_of_the_calm_after_the_burst() -> None:
    figures = figures_of(measured(drive([*BURSTING, (9.0, 0.1, 3, 1)])))
    assert figures["guard:burst:recovery"].value == pytest.approx(7)
    assert figures["guard:burst:settled"].value == 0


def test_the_capacity_is_the_median_round_with_the_rounds_extremes() -> None:
    found = measured(drive(BURSTING))
    ratio = figures_of(found)["capacity:fixed:ratio"]
    assert (ratio.low, ratio.value, ratio.high) == (0.80, 0.81, 0.82)
    assert found.capacity == 81


def test_the_tables_hold_every_load_of_both_workers() -> None:
    figures = {name: {"value": f.value, "low": f.low, "high": f.high} for name, f in
               figures_of(measured(drive(BURSTING))).items()}  # fmt: skip
    tables = [table.splitlines() for table in markdown(figures).split("\n\n")]
    assert [len(table) for table in tables] == [2 + 2, 2 + 2 * (len(SHARES) + 1), 2 + 2]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_the_wave_of_bursts_lasts_half_a_minute_at_four_times_the_base() -> None:
    phases = FULL.burst_phases(base=50)
    wave = [phase for phase in phases if phase.name in ("burst", "pause")]
    assert sum(phase.seconds for phase in wave) == 30
    assert {phase.rate for phase in wave if phase.name == "burst"} == {50 * BURST}
    assert [phase.name for phase in phases] == ["calm", "burst", "pause", "burst", "pause", "burst", "after"]


def test_a_table_without_a_result_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.render.RESULTS", tmp_path)
    text = rendered("<!-- bench:serving -->\nold\n<!-- /bench:serving -->\n")
    assert "Not measured yet: `python -m bench serving`." in text
    assert "old" not in text
