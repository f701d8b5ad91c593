"""Traces: what a file's lines mean, and what replaying does with them."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_load import LoadError
from phalanx_load.arrivals import read_trace, replay

offsets = st.lists(st.floats(0, 1000), min_size=1, max_size=60).map(sorted)


@given(offsets, st.integers(0, 99))
def test_offsets_are_replayed_exactly(times: list[float], seed: int) -> None:
    schedule = replay(read_trace(map(repr, times)), seed=seed)
    assert list(schedule.due_s) == times
    assert len(schedule.within(schedule.spans[0])) == len(times)


@given(offsets, st.floats(0.1, 10))
def test_speed_divides_the_times(times: list[float], speed: float) -> None:
    schedule = replay(read_trace(map(repr, times)), seed=0, speed=speed)
    assert list(schedule.due_s) == pytest.approx([time / speed for time in times])


@given(st.floats(0.1, 5))
def test_density_multiplies_the_requests(density: float) -> None:
    slots = read_trace([str(second) for second in range(2000)])
    schedule = replay(slots, seed=0, density=density)
    assert len(schedule) == pytest.approx(2000 * density, abs=5 * 2000**0.5 / 2)
    assert list(schedule.due_s) == sorted(schedule.due_s)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=30).filter(any), st.integers(0, 99))
def test_counts_fall_into_their_own_slots(counts: list[int], seed: int) -> None:
    lines = [f"{1_700_000_000 + 10 * place},{count}" for place, count in enumerate(counts)]
    schedule = replay(read_trace(lines), seed=seed)
    found = [0] * len(counts)
    for due_s in schedule.due_s:
        found[int(due_s // 10)] += 1
    assert found == counts


@given(st.integers(1, 40), st.integers(0, 99))
def test_counts_fall_anywhere_in_their_slot(count: int, seed: int) -> None:
    due_s = replay(read_trace([f"0,{count}", "10,0"]), seed=seed).due_s
    assert list(due_s) == sorted(due_s)
    assert 0 <= due_s[0] <= due_s[-1] <= 10


def test_counts_are_spread_evenly_over_their_slot() -> None:
    due_s = replay(read_trace(["0,20000", "10,0"]), seed=5).due_s
    # Five standard deviations of a tenth of them.
    tenths = Counter(int(time) for time in due_s)
    assert all(abs(tenths[tenth] - 2000) < 5 * (20000 * 0.09) ** 0.5 for tenth in range(10))


@given(requests=st.integers(1, 80), seconds=st.floats(0.1, 60), speed=st.floats(0.5, 4))
def test_a_bounded_replay_is_the_beginning_of_the_whole_one(requests: int, seconds: float, speed: float) -> None:
    slots = read_trace([f"{10 * place},20" for place in range(5)])
    whole = replay(slots, seed=2, speed=speed)
    try:
        cut = replay(slots, seed=2, speed=speed, requests=requests, seconds=seconds)
    except LoadError:  # nothing is due so early
        assert seconds <= whole.due_s[0]
        return
    assert cut == whole.until(requests=requests, seconds=seconds)


def test_the_first_minute_of_a_week_can_be_replayed() -> None:
    week = read_trace([f"{3600 * hour},100000000" for hour in range(168)])
    assert len(replay(week, seed=0, seconds=60, density=0.01)) == pytest.approx(1e6 / 60, abs=5 * (1e6 / 60) ** 0.5)
    assert len(replay(week, seed=0, requests=10)) == 10
    with pytest.raises(LoadError, match="more than 10,000,000 requests"):
        replay(week, seed=0)


def test_times_without_a_zone_are_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # In Berlin one of these never was, and another was twice.
    for hours in (("2026-03-29T01:30", "2026-03-29T02:30"), ("2026-10-25T01:30", "2026-10-25T02:30")):
        found = []
        for zone in ("Europe/Berlin", "UTC"):
            with monkeypatch.context() as patch:
                patch.setenv("TZ", zone)
                time.tzset()
                found.append(read_trace([f"{hour},5" for hour in hours]))
            time.tzset()
        assert found[0] == found[1]
        assert found[0][0].seconds == 3600


def test_a_time_with_a_zone_keeps_it() -> None:
    assert read_trace(["2026-01-31T12:00:00Z,1", "2026-01-31T13:01:00+01:00,2"])[1].start_s == 60


@pytest.mark.parametrize(
    ("lines", "slots"),
    [
        (["\ufeff0.5", "1.5"], [(0.5, 1, 1), (1.5, 0, 1)]),
        (["\ufefftime,count", "0,4"], [(0, 1, 4)]),
        (['"2026-01-31T12:00:00","5"', '"2026-01-31T12:01:00","6"'], [(0, 60, 5), (60, 60, 6)]),
        (["time,rate(x[5m])", "0,5"], [(0, 1, 5)]),
        (['time,"sum by (a, b) (rate(x[5m]))"', "0,5"], [(0, 1, 5)]),
        ([",count", "0,5.0"], [(0, 1, 5)]),
        (["1700000000.5", "1700000001"], [(0, 0.5, 1), (0.5, 0, 1)]),
    ],
    ids=["byte order mark", "its CSV", "quotes", "digits in a header", "a comma in it", "an index", "times since 1970"],
)
def test_what_exports_write_is_understood(lines: list[str], slots: list[tuple[float, float, int]]) -> None:
    assert [(slot.start_s, slot.seconds, slot.count) for slot in read_trace(lines)] == slots


def test_a_header_comments_blank_lines_and_iso_times_are_understood() -> None:
    lines = ["# requests a minute", "time,count", "", "2026-01-31T12:00:00, 2", "2026-01-31T12:01:00,3  # lunch"]
    slots = read_trace(lines)
    assert [(slot.start_s, slot.seconds, slot.count) for slot in slots] == [(0, 60, 2), (60, 60, 3)]


def test_a_replay_of_counts_is_the_same_for_the_same_seed() -> None:
    slots = read_trace(["0,50", "1,50"])
    assert replay(slots, seed=4, density=1.5).due_s == replay(slots, seed=4, density=1.5).due_s
    assert replay(slots, seed=4).due_s != replay(slots, seed=5).due_s


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "the trace is empty"),
        (["0.5", "# x", "soon"], "line 3: 'soon' is not a time in seconds"),
        (["0.5", "inf"], "line 2: 'inf' is not a time"),
        (["3", "2"], "line 2: '2' is earlier than the line before it"),
        (["-1", "2"], "line 1: -1 is before the start"),
        (["time,count"], "a header and no line"),
        (["t,c", "0,4", "1,4,5"], "line 3: 3 fields where TIME,COUNT are wanted"),
        (["0,4", "1,-4"], "line 2: the count '-4' is not a whole number"),
        (["0,4", "1,2.5"], "line 2: the count '2.5' is not a whole number"),
        (["0,4", "noon,4"], "line 2: 'noon' is neither a time in seconds nor one in ISO 8601"),
        (["9,4", "1,4"], "line 2: '1,4' is earlier"),
        (["time,count", "0," + "9" * 5000], "line 2: a count of 5000 digits is more than a run can hold"),
        (["0,4", "1," + "9" * 400], "line 2: a count of 400 digits is more than a run can hold"),
        (["0,4", "9" * 400 + ",1"], "line 2: '999999999999999999999999999999' is neither a time in seconds nor"),
        (["0.5", "0," + "9" * 200_000], "line 2: field larger than field limit"),
        (["0.5", "1,4"], "line 2: '1,4' is not a time in seconds"),
        (["noon,4"], "line 1: 'noon' is neither a time in seconds nor one in ISO 8601"),
        (["1700000000000,4"], "line 1: 1700000000000 is no time in seconds; divide milliseconds by 1000"),
        (["1700000000000"], "line 1: 1700000000000 is no time in seconds; divide milliseconds by 1000"),
    ],
)
def test_a_bad_line_is_named_by_its_number(lines: list[str], says: str) -> None:
    with pytest.raises(LoadError) as error:
        read_trace(lines)
    assert says in str(error.value)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["speed", "density"])
def test_a_factor_has_to_be_positive(name: str, factor: float) -> None:
    with pytest.raises(LoadError, match=f"the trace's {name} is"):
        replay(read_trace(["1"]), seed=0, **{name: factor})
