"""What the workers compute with k students, also for a k that was not measured."""

from __future__ import annotations

from collections.abc import Mapping


def capacity_at(measured: Mapping[int, float], students: int) -> float | None:
    """Tokens a second; None if nothing was measured.

    An unmeasured number is bounded from below by its neighbours: fewer students are at least as fast, and k students
    cost at most k/j times what j cost. So nothing is overestimated.
    """
    known = {k: value for k, value in measured.items() if value > 0 and k >= 1}
    if students in known:
        return known[students]
    bounds = [value * min(1.0, k / students) for k, value in known.items()]
    return max(bounds, default=None)
