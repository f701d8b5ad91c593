"""When requests are due. Pure: a seed goes in, times in seconds since the run's start come out."""

from phalanx_load.arrivals.random import poisson
from phalanx_load.arrivals.recording import read_trace
from phalanx_load.arrivals.schedule import Phase, Schedule, Span, spans_until, square_wave
from phalanx_load.arrivals.trace import Slot, replay

__all__ = ["Phase", "Schedule", "Slot", "Span", "poisson", "read_trace", "replay", "spans_until", "square_wave"]
