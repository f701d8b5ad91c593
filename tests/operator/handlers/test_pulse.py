"""When a watch counts as dead."""

from __future__ import annotations

from phalanx_operator.handlers.pulse import DEAD_AFTER_S, Pulse
from phalanx_operator.tally import REGISTRY


def test_a_quiet_watch_is_not_dead():
    pulse = Pulse()
    pulse.heard("ServingPool", listed=True, now=0.0)
    for now in range(0, 100_000, 300):
        pulse.missed("ServingPool", changes=0, now=float(now))
    assert pulse.problem(1e5) == ""


def test_a_watch_that_does_not_tell_of_what_a_list_showed_is_dead_after_a_while():
    pulse = Pulse()
    pulse.heard("ServingPool", listed=True, now=0.0)
    pulse.missed("ServingPool", changes=1, now=100.0)
    pulse.missed("ServingPool", changes=1, now=100.0 + DEAD_AFTER_S)
    assert pulse.problem(100.0 + DEAD_AFTER_S) == "", "it may begin anew until then"
    assert pulse.problem(101.0 + DEAD_AFTER_S) == "no watch tells of changes of ServingPool"


def test_a_change_that_was_on_its_way_is_no_sign_of_death():
    pulse = Pulse()
    pulse.missed("TenantAdapter", changes=3, now=100.0)
    pulse.heard("TenantAdapter", listed=False, now=100.1)
    assert pulse.problem(1e5) == ""
    pulse.missed("TenantAdapter", changes=1, now=1e5)
    assert pulse.problem(1e5 + DEAD_AFTER_S + 1) != "", "nothing was heard since"


def test_what_another_watch_tells_proves_nothing():
    pulse = Pulse()
    pulse.missed("TenantAdapter", changes=3, now=100.0)
    pulse.heard("ServingPool", listed=False, now=200.0)
    assert "TenantAdapter" in pulse.problem(1e5)


def test_lists_after_the_first_are_counted_as_restarts_once_each():
    def restarts() -> float:
        return REGISTRY.get_sample_value("phalanx_operator_watch_restarts_total", {"kind": "Counted"}) or 0.0

    pulse = Pulse()
    for now in (0.0, 0.1, 0.2):
        pulse.heard("Counted", listed=True, now=now)
    assert restarts() == 0
    pulse.heard("Counted", listed=False, now=100.0)
    for now in (200.0, 200.1, 200.2):
        pulse.heard("Counted", listed=True, now=now)
    assert restarts() == 1
