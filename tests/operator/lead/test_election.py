"""What the election promises, in a world where everything goes wrong that can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_operator.lead.election import NOBODY, Candidate, Record, Timing, claim, leads, observed, released, wrote
from tests.operator.lead.world import World

TIMING = Timing()
# 1.09 / 0.91 is just below lease_s / write_s: what the module says that clocks may run apart.
CLOCKS = st.lists(st.tuples(st.floats(0.91, 1.09), st.floats(-1e6, 1e6)), min_size=2, max_size=3)
NUMBERS = st.integers(0, 2)
SECONDS = st.sampled_from([0.1, 1.0, 2.0, 2.0, 4.0, 6.0, 8.0])
TURNS = st.tuples(st.just("turns"), st.sets(NUMBERS), SECONDS)
WRITE = st.tuples(st.just("write"), NUMBERS)
EVENT = st.one_of(
    TURNS,
    TURNS,
    WRITE,
    WRITE,
    st.tuples(st.just("late"), NUMBERS, st.sampled_from([0.1, 2.0]), st.sampled_from([2.0, 6.0, 8.0])),
    st.tuples(st.just("cut_off"), NUMBERS, st.sampled_from([5.0, 9.0, 9.9]), st.sampled_from([2.0, 3.5, 5.2, 6.5])),
    st.tuples(st.sampled_from(["ask", "stand", "deliver", "lose", "crash", "release"]), NUMBERS),
    st.tuples(st.sampled_from(["turn", "write"]), NUMBERS),
    st.tuples(st.just("pass_time"), st.sampled_from([9.9, 10.1, 14.9, 15.1, 40.0])),
    st.tuples(st.just("delete")),
)
EVENTS = st.lists(EVENT, min_size=10, max_size=80)


def play(world: World, events: list[tuple[Any, ...]]) -> None:
    """Let it happen, and look after each event."""
    for name, *arguments in events:
        if arguments and isinstance(arguments[0], int):
            arguments[0] %= len(world.replicas)
        overlapping = getattr(world, name)(*arguments) or []
        assert len(world.leaders()) <= 1, f"after {name} {arguments}: {world.leaders()}"
        assert overlapping == [], f"{name} {arguments} began while writes of {overlapping} were under way"


def settle(world: World) -> None:
    """Nothing goes wrong any more, for as long as a lease and some tries last on the slowest clock."""
    for _ in range(13):
        for number in range(len(world.replicas)):
            world.replicas[number].mail.clear()
            world.turn(number)
        world.pass_time(TIMING.retry_s)
        for number in range(len(world.replicas)):
            world.turn(number)


@settings(max_examples=300, deadline=None)
@given(CLOCKS, EVENTS)
def test_never_two_that_may_write_and_never_a_write_beside_anothers(clocks, events):
    play(World(clocks), events)


@settings(max_examples=60, deadline=None)
@given(CLOCKS, EVENTS)
def test_eventually_one_leads(clocks, events):
    world = World(clocks)
    play(world, events)
    settle(world)
    assert len(world.leaders()) == 1


@settings(max_examples=60, deadline=None)
@given(CLOCKS, EVENTS)
def test_a_leader_that_is_not_disturbed_stays(clocks, events):
    world = World(clocks)
    play(world, events)
    settle(world)
    first = world.leaders()
    settle(world)
    assert world.leaders() == first


@settings(max_examples=60, deadline=None)
@given(CLOCKS, st.floats(0.0, 2.0))
def test_when_the_leader_dies_another_leads_within_a_lease_and_a_try(clocks, early_s):
    world = World(clocks)
    settle(world)
    (leader,) = world.leaders()
    dead = next(each for each in world.replicas if each.candidate.identity == leader)
    world.pass_time(early_s)
    world.replicas.remove(dead)
    died_at = world.at
    while not world.leaders():
        for number in range(len(world.replicas)):
            world.turn(number)
        world.pass_time(0.5)
    assert world.at - died_at <= TIMING.lease_s / 0.91 + TIMING.retry_s


def test_this_world_can_show_two_leaders_when_a_clock_breaks_the_rule():
    # Otherwise the properties above would hold for want of trying.
    world = World([(0.5, 0.0), (1.5, 0.0)])
    with pytest.raises(AssertionError, match="after"):
        play(
            world,
            [
                ("delete",), ("turn", 0), ("turn", 1), ("pass_time", 31.0), ("turn", 0), ("turn", 1),
                ("pass_time", 10.1), ("turn", 1), ("write", 0), ("write", 1),
            ],
        )  # fmt: skip


HELD = Record(holder="other", lease_s=15.0, acquired="then", renewed="then", transitions=3, version="7")
ME = Candidate(identity="me")


def test_a_lease_is_waited_for_from_when_it_was_seen_to_change_and_not_from_the_time_in_it():
    seen = observed(ME, replace(HELD, renewed="1970-01-01T00:00:00Z"), now=100.0)
    assert claim(seen, now=114.9, stamp="now") is None
    again = observed(seen, HELD, now=110.0)
    assert claim(again, now=115.0, stamp="now") == Record(
        holder="me", lease_s=15.0, acquired="now", renewed="now", transitions=4, version="7"
    )
    renewed = observed(seen, replace(HELD, version="8"), now=110.0)
    assert claim(renewed, now=124.9, stamp="now") is None


def test_what_the_holder_promised_counts_where_replicas_are_configured_apart():
    seen = observed(ME, replace(HELD, lease_s=60.0), now=0.0)
    assert claim(seen, now=59.0, stamp="now") is None
    assert claim(seen, now=60.0, stamp="now") is not None


def test_a_released_lease_is_taken_at_once_and_a_missing_one_only_after_its_time():
    assert claim(observed(ME, replace(HELD, holder=""), now=0.0), now=0.0, stamp="now") is not None
    missing = observed(ME, None, now=0.0)
    put_back = claim(missing, now=0.0, stamp="now")
    assert put_back == Record(holder=NOBODY, lease_s=15.0, renewed="now")
    waiting = wrote(missing, replace(put_back, version="1"), asked_at=0.0, now=0.1)
    assert not leads(waiting, now=0.1)
    assert claim(waiting, now=15.0, stamp="now") is None
    assert claim(waiting, now=15.1, stamp="now") is not None


def test_a_restarted_replica_takes_its_own_lease_at_once():
    record = claim(observed(ME, replace(HELD, holder="me"), now=0.0), now=0.0, stamp="now")
    assert record is not None
    assert (record.transitions, record.acquired) == (3, "then")


def test_leading_is_counted_from_the_request_and_ends_by_itself():
    led = wrote(ME, replace(HELD, holder="me"), asked_at=100.0, now=109.0)
    assert leads(led, now=109.9)
    assert not leads(led, now=110.0)


def test_only_a_leader_has_something_to_release():
    assert released(ME, stamp="now") is None
    led = wrote(ME, replace(HELD, holder="me"), asked_at=0.0, now=0.0)
    assert released(led, stamp="now") == replace(HELD, holder="", renewed="now")
    assert released(observed(led, replace(HELD, version="8"), now=1.0), stamp="now") is None


def test_timings_that_leave_no_room_are_refused():
    with pytest.raises(ValueError, match="lease_s > renew_s > retry_s"):
        Timing(lease_s=10.0, renew_s=10.0)
