"""What becomes of requests, students and workers when something is killed with -9 under load.

etcd, API server, controller manager, scheduler, a node whose pods are processes, the operator as the chart installs it,
a real Prometheus and three workers share this machine. The workers have devices of constant speed (`tests.e2e.paced`),
and a constant load, sent to the ready ones as a Service would, takes about half of their time: what two of them can
bear. Then, in an order and at moments that a seed decides, Prometheus, a worker, the operator that leads and the API
server are killed, each once in a round.

- Requests: answered; refused with 429 or 503; not reached, since the Service did not know yet that the worker was gone;
  inside the killed worker; lost. An answer counts only if it has the label that so many students give in Python.
- Held: the fewest students that the status or any worker allowed, and the fewest workers that the Deployment asked for,
  from one strike to the next, against what they were when it came. The spec would let the operator go down to one.
- Converged: from when what was killed runs again (the API server and Prometheus: answer again), until a change that was
  made meanwhile is served by all workers, all of them are ready, all conditions say so and the metrics are fresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run(arguments: Sequence[str] = ()) -> Path:
    """Kill, and write bench/results/chaos.json. Exits with 1 where a promise is broken."""
    from bench.chaos.command import main

    return main(arguments)
