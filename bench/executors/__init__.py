"""Ways to run one grid on a CPU, on the same work and in the same number format: ours, ONNX Runtime's and OpenVINO's.

Random weights (time does not depend on values) in the geometry of MiniLM (hidden 384) and MPNet's width (768), four
students of two rows, mean pooling; beside them a teacher of as many rows as the encoder has, in this engine. Batches of
several texts are ragged, from half their length to all of it: a quarter is padding, as the server allows by default.
What the runtimes get is one graph for each number of students, unrolled student by student (a batched product over
students is not what their kernels are made for), with the batch's size and length left open.

In each round every contender runs once, in shuffled order. A figure is the median over rounds; low and high are the
10th and 90th percentile. `ratio:*` is the contender's time over that of the engine's default in the same number format
(bf16 for 8 bits) in the same round, `error:*` the largest difference of a logit from the fp32 answer, over the largest
logit. Runtimes that are not installed are left out: `pip install onnx onnxscript onnxruntime openvino`.
"""

import os
from dataclasses import asdict
from pathlib import Path


def run() -> Path:
    """Measure, write bench/results/executors.json, and draw docs/img/executors.png."""
    # As `phalanx serve` has it: read once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from bench.executors.measure import measure
    from bench.executors.plot import PICTURE, draw
    from bench.executors.scale import FULL
    from bench.record import write

    figures = measure(FULL)
    draw({key: asdict(figure) for key, figure in figures.items()}, PICTURE)
    return write("executors", figures)
