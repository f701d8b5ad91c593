"""The operator on a real control plane, with many resources: how long until all is as it should be, how soon one change
reaches a worker's files, and what it costs when nothing happens.

etcd, API server, controller manager, scheduler, a node whose pods are processes, and the operator share this machine.
The node has a GPU for each of a few workers; all other pools' workers wait for one, as they do where GPUs are scarce.

- Convergence: the resources exist, then the operator starts. Until every resource's status is about its spec, and every
  pool's plan is in its ConfigMaps.
- Change: one StudentEnsemble's bound is changed, one after the other, on pools that have a worker; until the file that
  the worker's volume shows says so. low is the median, high the longest.
- Idle: nothing happens for a while; the operator's writes, by the API server's audit log, and its share of a core. It
  is the only replica here and holds no lease, whose renewals would be 30 writes a minute.
- Memory: the operator's resident memory, the most that was seen.
- Restart: the operator is ended and started again while one model is changed; until the change is in the worker's file,
  and the writes until all is quiet again, those for the change included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run(arguments: Sequence[str] = ()) -> Path:
    """Measure, and write bench/results/scale.json."""
    from bench.scale.command import main

    return main(arguments)
