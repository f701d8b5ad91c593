"""What the operator's decisions are worth: the promises of the policy, on the shipped traces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_operator.simulate.compare import compare, read_name
from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.policies import OperatorPolicy
from phalanx_operator.simulate.profile import BATCH_SHARE, Cost, Profile
from phalanx_operator.simulate.replay import replay
from phalanx_operator.simulate.report import encode, report_of
from phalanx_operator.simulate.setup import setup_of
from phalanx_operator.simulate.trace import Trace
from phalanx_operator.simulate.traces import shipped
from tests.operator import objects
from tests.operator.simulate.scenes import trace

SETUP = setup_of()


def test_in_a_flash_crowd_the_operator_keeps_the_objective_at_half_the_price():
    """At least three times fewer violations than all students on the same workers; and at most half the worker-hours of
    all students at equal violations."""
    operator, fixed, fewest = compare(shipped("flash-crowd"), ["operator", "fixed", "fewest"], SETUP)
    assert fixed.wanted == operator.wanted
    assert fixed.score.violating_s >= 3 * operator.score.violating_s
    assert fixed.score.violations >= 3 * operator.score.violations
    assert fixed.score.violating_s > 60
    assert operator.score.violating <= 0.01
    assert fewest.score.violating_s <= operator.score.violating_s
    assert operator.score.worker_hours <= 0.5 * fewest.score.worker_hours
    # One worker less would not do.
    one_less = compare(shipped("flash-crowd"), [f"fixed:4x{fewest.wanted[0] - 1}"], SETUP)[0]
    assert one_less.score.violating_s > operator.score.violating_s


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Two to six students on a device of any speed."""
    text_s, fixed_s = draw(st.floats(0.0002, 0.003)), draw(st.floats(0.0002, 0.004))
    counts = range(1, draw(st.integers(2, 6)) + 1)
    return Profile(costs=tuple(Cost(fixed_s=fixed_s, text_s=text_s * k) for k in counts))


@settings(deadline=None, max_examples=15, derandomize=True)
@given(profiles(), st.floats(0.05, 7.0), st.floats(0.0, 0.1), st.integers(1, 4))
def test_a_constant_load_settles(profile, load, wobble, replicas):
    """Whatever the workers, the load (in workers with all students) and those at the start: soon nothing moves."""
    most = profile.cost(profile.students)
    objective_s = 30 * most.text_s + 5 * most.fixed_s
    pool = objects.pool(
        replicas={"min": replicas, "max": 12}, objective={"p99": f"{max(round(1000 * objective_s), 1)}ms"}
    )
    setup = setup_of([pool, objects.ensemble()], profile=profile)
    full = most.texts_per_s(BATCH_SHARE * setup.pool.objective_p99_s)
    wave = (1.0, 1.0 + wobble, 1.0 - wobble, 1.0 + wobble / 2)
    texts = [load * full * wave[second % 4] for second in range(2400)]
    policy = OperatorPolicy(pool=setup.pool, ensemble=setup.ensemble, profile=profile)
    run = replay(trace(texts), policy, setup.scene)
    assert [event for event in run.events if event.at_s > 1500] == []
    assert run.score.turns <= 1
    # All students fit into twelve workers, so all of them are back in the end.
    assert run.slices[-1].ceiling == profile.students


@pytest.mark.parametrize("factor", [0.6, 1.7, 2.9, 4.2])
def test_an_even_load_that_wobbles_moves_students_and_workers_to_where_they_stay(factor):
    """The hour before the crowd: 300 texts a second, times the factor, give or take 5 % for half a minute."""
    even = Trace(name="even", texts=shipped("flash-crowd").texts[:3600]).scaled(factor)
    run = compare(even, ["operator"], SETUP)[0]
    assert run.score.turns <= 1
    assert [event.told for event in run.events if event.at_s > 900 and event.told.about == "students"] == []
    assert run.score.violating_s <= 120


def test_the_same_seed_gives_the_same_report():
    def report() -> bytes:
        short = Trace(name="short", texts=shipped("flash-crowd", seed=3).texts[3500:3900])
        return encode(report_of(compare(short, ["operator", "hpa"], SETUP)))

    assert report() == report()


def test_every_change_is_told_with_its_reason_and_numbers():
    run = compare(shipped("flash-crowd"), ["operator"], SETUP)[0]
    changes = [event.told for event in run.events if event.at_s > 0]
    assert {told.about for told in changes} == {"students", "workers"}
    assert all(told.reason and any(map(str.isdigit, told.message)) for told in changes)
    order = [(told.about, told.action) for told in changes]
    assert order.index(("students", "Lower")) < order.index(("workers", "Raise")) < order.index(("students", "Raise"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("operator", "operator"),
        ("fixed", "fixed:4"),
        ("fixed:2x8", "fixed:2x8"),
        ("fewest:3", "fewest:3"),
        ("hpa", "hpa:4"),
    ],
)
def test_policies_are_named_as_on_the_command_line(text, name):
    assert str(read_name(text, students=4)) == name


@pytest.mark.parametrize("text", ["", "fixed:", "fixed:5", "fixed:0", "fixed:1x0", "hpa:4x2", "vpa"])
def test_other_names_are_refused(text):
    with pytest.raises(SimulationError, match="policy"):
        read_name(text, students=4)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ([objects.pool()], "0 StudentEnsembles"),
        ([objects.pool("other"), objects.ensemble()], "is on gpus, not other"),
        ([objects.pool(), objects.ensemble(students={"min": 6, "max": 8})], "the profile has 4"),
        ([objects.pool(replicas={"min": 0, "max": 4, "count": 0}), objects.ensemble()], "set min to 1"),
    ],
    ids=["no ensemble", "another pool", "too few students", "no worker"],
)
def test_resources_that_cannot_be_simulated_are_refused(resources, said):
    with pytest.raises(SimulationError, match=said):
        setup_of(resources)


def test_an_ensemble_that_is_still_to_be_distilled_can_be_simulated():
    made = setup_of([objects.pool(), objects.distilled()])
    assert made.ensemble.artifact.uri == "pvc://models/out"
