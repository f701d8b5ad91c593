"""What student parallelism gives on one GPU: `python -m bench gpu`, or `make bench-gpu`, in under eight minutes.

Parts, each with a share of the time. What a part had no time for, and what failed in it, it skips, and the result says
why; an executor that answers wrongly is skipped from there on, and fails the run once all is written:

- limits: bandwidth (triad) and matrix rate (a large product) of this device, which every other part is held against
- equality: every executor's answers against each text alone in float32
- alternatives: the executors side by side
- latency: one text; ensembles of 4, 6, 8 students by 2 rows against the teacher of 12 and of 24 rows in transformers
  (eager, and torch.compile at some lengths) and in this engine (CUDA graphs)
- throughput: real lengths of texts, one student in this engine against padded eager transformers

This engine runs without cuDNN's attention, as it serves. Transformers have torch's own choice of attention in
`latency`, and run without cuDNN's in `throughput`, where nearly every batch is a new shape to plan.

Weights are random (time does not depend on values), bfloat16. Times are wall clock from token ids on the host to logits
on the host. In each round every contender runs once, in shuffled order, so that nobody has the caches to itself and a
drifting clock hurts all alike. A time's value is the median over rounds, low the 10th percentile, and high the 99th; a
ratio is taken in each round, with the 10th and 90th percentile.

Without CUDA the same code runs on the CPU with tiny sizes and stand-ins for graphs and streams. That proves the script
and measures nothing: it writes `gpu_dry` into a folder that is not committed.
"""

from pathlib import Path


def run() -> Path:
    """Measure, and write bench/results/gpu.json; without CUDA, a dry run."""
    from bench.gpu.suite import run as run_suite  # transformers and matplotlib take seconds to import

    return run_suite()
