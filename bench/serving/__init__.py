"""A real worker under load: capacity, latency at shares of it, and a burst, with the burst guard and without.

One `phalanx serve` process for each range of students, one compute thread each, and the load generator of
`phalanx bench load` in this process, on the last core. All workers stay up; only one is asked at a time, and they take
turns, so that a slow minute of the machine meets all of them.

- Capacity: texts a second in a closed loop that keeps the queue full, all students fixed; after each round the *same*
  batches (token lengths as the worker recorded them) go through its executor in a process without a server. `ratio` is
  the server's rate over that one's, round by round. low and high are the rounds' extremes, the value is their median.
- Load: Poisson arrivals at 0.5, 0.8 and 1.0 of the capacity. low and high are the extremes of the phase's thirds.
- Burst: base load of 0.5 of the capacity, and an on-off wave of 30 s in which the load is four times that: 6 s on,
  6 s off, on, off, on. Then calm. Every contender gets the same schedule, in alternating order. low and high are the
  extremes of the single bursts.
"""

from pathlib import Path


def run() -> Path:
    """Measure, and write bench/results/serving.json with the pictures that belong to it."""
    from bench.serving.measure import measure
    from bench.serving.results import save
    from bench.serving.scale import FULL

    return save(measure(FULL))
