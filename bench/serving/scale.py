"""How long everything takes, and what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phalanx_load import Phase

OBJECTIVE_S: Final = 0.15
DATA: Final = "trec6"
SEED: Final = 0
SHARES: Final = (0.5, 0.8, 1.0)
"""Loads, as shares of the capacity with all students."""
BASE: Final = 0.5
BURST: Final = 4.0
"""The burst, in multiples of the base load."""
SLICE_S: Final = 0.5

CALM, BURSTING, PAUSE, AFTER = "calm", "burst", "pause", "after"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Durations in seconds. `rounds` are those of the capacity, `bursts` those of the burst."""

    rounds: int
    round_s: float
    load_s: float
    calm_s: float
    on_s: float
    off_s: float
    waves: int
    after_s: float
    bursts: int

    def burst_phases(self, base: float) -> tuple[Phase, ...]:
        """Calm, the on-off wave that ends with a burst, and what comes after; `base` in requests a second."""
        on = Phase(name=BURSTING, seconds=self.on_s, rate=BURST * base)
        wave = (on, *(Phase(name=PAUSE, seconds=self.off_s, rate=base), on) * (self.waves - 1))
        calm = Phase(name=CALM, seconds=self.calm_s, rate=base)
        return (calm, *wave, Phase(name=AFTER, seconds=self.after_s, rate=base))


FULL: Final = Scale(rounds=3, round_s=5, load_s=15, calm_s=4, on_s=6, off_s=6, waves=3, after_s=9, bursts=2)
SHORT: Final = Scale(rounds=2, round_s=1, load_s=2, calm_s=1, on_s=1, off_s=1, waves=2, after_s=2, bursts=1)
"""To see that everything works; its figures mean nothing."""
