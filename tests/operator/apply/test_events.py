"""Events: what is posted, what is counted up, and that nobody can flood the cluster."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.apply.api import ApiError
from phalanx_operator.apply.events import MAX_NOTE, Recorder, build_event
from phalanx_operator.apply.series import MOST_NEW, QUIET_S, WRITE_EVERY_S, Diary, enter

POOL = {
    "apiVersion": "phalanx.dev/v1alpha1",
    "kind": "ServingPool",
    "metadata": {"name": "gpus", "namespace": "ml", "uid": "u-1"},
}
EVENTS = "/apis/events.k8s.io/v1/namespaces/ml/events"
NOTES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "z", "w"]), st.floats(0, 120)), max_size=200
)
"""Reason, text, and seconds since the note before."""


@given(NOTES)
def test_however_much_there_is_to_say_the_writes_on_one_object_are_bounded(notes):
    diary, now, new, counted = Diary(), 0.0, [], {}
    for number, (reason, text, wait_s) in enumerate(notes):
        now += wait_s
        entry = enter(diary, (reason, "Do"), text, name=str(number), now=now)
        diary = entry.diary
        if entry.new:
            new.append(now)
        elif entry.count:
            counted.setdefault(entry.name, []).append(now)
    for at in new:
        assert sum(at <= each <= at + QUIET_S for each in new) <= MOST_NEW + 1
    for times in counted.values():
        assert all(later - first >= WRITE_EVERY_S for first, later in itertools.pairwise(times))


@given(NOTES)
def test_a_count_is_of_everything_that_was_said_since_the_event_was_new(notes):
    diary, now, said = Diary(), 0.0, {}
    for number, (reason, text, wait_s) in enumerate(notes):
        now += wait_s
        entry = enter(diary, (reason, "Do"), text, name=str(number), now=now)
        diary = entry.diary
        if entry.name:
            said[entry.name] = said.get(entry.name, 0) + 1
        assert entry.count in (0, said.get(entry.name, 0))
        assert not entry.new or (entry.name, said[entry.name]) == (str(number), 1)


def test_another_text_is_another_event_and_the_same_one_after_a_while_too():
    first = enter(Diary(), ("Overloaded", "DropStudents"), "from 4 to 3", name="a", now=0)
    second = enter(first.diary, ("Overloaded", "DropStudents"), "from 3 to 2", name="b", now=1)
    assert (first.new, second.new, second.name) == (True, True, "b")
    again = enter(second.diary, ("Overloaded", "DropStudents"), "from 3 to 2", name="c", now=2)
    assert (again.new, again.name, again.count) == (False, "b", 2)
    assert enter(again.diary, ("Overloaded", "DropStudents"), "from 3 to 2", name="d", now=3 + QUIET_S).new


async def tell(recorder: Recorder, text: str = "a worker crashes", *, now: float) -> None:
    await recorder.record(POOL, reason="WorkersCrashing", note=text, action="Check", warning=True, now=now)


async def test_a_loop_gets_one_event_and_a_count(api, server):
    recorder = Recorder(api)
    for second in range(100):
        await tell(recorder, now=float(second))
    posted, *patched = server.requests
    assert (posted[0], posted[1]) == ("POST", EVENTS)
    assert [(method, content["series"]["count"]) for method, _, _, content in patched] == [("PATCH", 2), ("PATCH", 62)]
    assert patched[0][1].startswith(f"{EVENTS}/{posted[3]['metadata']['name']}?")
    assert patched[0][3]["series"]["lastObservedTime"] == "1970-01-01T00:00:01.000000Z"


async def test_an_event_that_the_server_has_forgotten_is_posted_again(api, server):
    recorder = Recorder(api)
    await tell(recorder, now=0.0)
    name = server.requests[0][3]["metadata"]["name"]
    server.answers[f"PATCH {EVENTS}/{name}"] = (404, {"message": "not found"})
    await tell(recorder, now=1.0)
    assert [method for method, *_ in server.requests] == ["POST", "PATCH", "POST"]


async def test_a_refusal_is_raised_and_the_next_try_counts_on(api, server):
    recorder = Recorder(api)
    server.answers[f"POST {EVENTS}"] = (403, {"message": "forbidden"})
    with pytest.raises(ApiError, match="forbidden"):
        await tell(recorder, now=0.0)
    server.answers.clear()
    await tell(recorder, now=1.0)
    assert server.requests[-1][3]["series"]["count"] == 2


def test_an_event_fits_what_the_server_accepts():
    event = build_event(POOL, name="e", reason="Overloaded", note="x" * 5000, action="Drop", warning=True, now=0.5)
    assert len(event["note"]) == MAX_NOTE
    assert (event["type"], event["eventTime"]) == ("Warning", "1970-01-01T00:00:00.500000Z")
    assert event["regarding"]["uid"] == "u-1"
    assert event["metadata"] == {"name": "e", "namespace": "ml"}
