"""Traces: what a file's lines mean, and what replaying does with them."""

from __future__ import annotations

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
