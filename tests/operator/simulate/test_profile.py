"""Profiles that users write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.profile import parse_profile


@given(st.lists(st.floats(1000, 1e6), min_size=1, max_size=8), st.floats(1, 512), st.floats(0, 0.9))
def test_capacities_are_exported_as_they_were_given(capacities, tokens, launch):
    """`launch` as a share of the fastest batch of 1,024 tokens."""
    launch_ms = min(launch * 1024 / max(capacities) * 1000, 10_000)
    given = dict(enumerate(capacities, start=1))
    profile = parse_profile({"capacity": given, "tokens": tokens, "launchMs": launch_ms})
    for students, capacity in given.items():
        assert profile.capacity_tokens_per_s(students) == pytest.approx(capacity)


def test_the_loss_of_students_never_rises_with_their_number():
    profile = parse_profile({"capacity": {1: 4e4, 2: 2e4, 3: 1.5e4}, "agreement": [0.95, 0.94, 1.0]})
    assert [profile.loss(k) for k in (1, 2, 3)] == pytest.approx([0.06, 0.06, 0.0])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "capacity"),
        ({"capacity": {1: 100.0, 3: 50.0}}, "every number from 1"),
        ({"capacity": {1: 100.0}, "agreement": [0.9, 1.0]}, "2 values for 1"),
        ({"capacity": {1: 1e9}}, "lower launchMs"),
        ({"capacity": {1: 100.0}, "gpu": "H100"}, "gpu"),
        ({"capacity": {1: -1.0}}, "capacity"),
    ],
    ids=["nothing", "a gap", "agreement", "launch", "unknown", "negative"],
)
def test_a_profile_that_makes_no_sense_is_refused_with_its_field(data, said):
    with pytest.raises(SimulationError, match=said):
        parse_profile(data)
