"""Ensembles against their teachers on a CPU: this engine, plain transformers and ONNX Runtime, on held-out texts.

`python -m bench cpu` takes a quarter of an hour on two cores, and a minute more the first time, for the export to ONNX;
`python -m bench cpu --quick` shows in seconds that everything works, with random encoders of a few kilobytes.

Measured is a cell at a time (an encoder, a task's held-out texts, a number of threads), each in a process of its own.
Times run from token ids to logits: padding, batching and the copies are in them, the tokenizer is not. All have the
same threads, which sleep while they wait (OMP_WAIT_POLICY=PASSIVE, as `phalanx serve` sets it; ONNX Runtime's may spin
during its own call, but not into the next contender's).

Who takes part, each in the number formats that the CPU has:

- `KxL_kN`: N of K students of L rows. 4x2 is the paper's shape, cut from the encoder (time does not depend on values);
  beside it the shape that `python -m bench accuracy` distilled for this encoder and task, with its measured accuracy.
- `teacher`: the whole encoder in this engine.
- `transformers`: the same encoder in transformers.
- `onnx`: the same in ONNX Runtime, its attention in one operator where transformers has it so; int8 are 8-bit weights.

`CELL:latency:WHO:*`: one text at a time. In each round all contenders get the same text, in shuffled order. p50 and p99
are over texts, at least 370 of them, with 95 % intervals by order statistics. `ratio` is the time over the teacher's in
this engine on the same text (in the same number format, or in the engine's own for int8): median, 10th and 90th
percentile.

`CELL:throughput:WHO:ORDER`: texts a second while texts are always waiting; all contenders get the same chunks, in
shuffled order. This engine takes its batches as the server does (`buckets`); the others get 32 texts at a time in order
of arrival (`padded`: what is usually done) or by length (`sorted`: kinder). low and high are the slowest and the
fastest chunk. `CELL:gain:WHO:ORDER` is the rate over that of `transformers_fp32:padded`, chunk by chunk.

`CELL:error:WHO` is the largest difference of a logit from the same model's fp32 answer in this engine, over the largest
logit: it shows that all compute the same. More than 0.001 in fp32 ends the run.

`distilled` in the result has the digest of the artifact behind each distilled shape. Its accuracy was measured in fp32,
and stands beside bf16 too, whose logits differ by the error that is told; 8 bits would have to be measured themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run(arguments: Sequence[str] = ()) -> Path:
    """Measure, and write bench/results/cpu.json and docs/img/cpu.png; with `--quick`, a trial elsewhere."""
    from bench.cpu.command import main

    return main(arguments)
