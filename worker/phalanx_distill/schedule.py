"""The learning rate over a run. Pure."""

from __future__ import annotations


def linear(step: int, *, steps: int, warmup: float) -> float:
    """The share of the peak rate at `step` (from 0) of `steps`: up over the first `warmup`, then down to 0."""
    rise = max(1, round(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return max(0.0, (steps - step) / max(1, steps - rise))
