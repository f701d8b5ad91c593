"""Which choices of distillation matter: one choice changed at a time around the default, on real tasks, with seeds.

Every encoder, task and seed is a process of its own with one thread. It fine-tunes one teacher (which the accuracy
benchmark shares), and trains every variant's students on its answers; students that variants have in common are trained
once. What a variant leaves is kept in
`.cache/bench/ablation`, so that a call goes on where the last one was stopped; the result is written after every
process and keeps what earlier calls measured, each run with its own commit and date.

Students are fewer and see less text than by default (see `plan`), so that all of it can be run: figures compare
variants, and are no record.

Figures of one run, such as `minilm:movie:s0:hidden-last`, are measured on held-out rows with all students:

- `accuracy`; low and high are Wilson's 95 % interval.
- `effect`: the accuracy less the default's on the same rows, with Newcombe's paired 95 % interval.
- `gap`: the accuracy less the teacher's on the same rows, likewise.
- `residual`: the share of the teacher's logits that is left over on validation rows (mean squares).

`minilm:hidden-last:effect` is the mean over the seeds and tasks that were run. Seeds share their rows, so a task's
interval is the mean of its seeds'; tasks are independent of each other (TREC-6 and TREC-50 are not), and the distances
to their bounds add as squares. Like every interval here it speaks of other rows, not of other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run(arguments: Sequence[str] = ()) -> Path:
    """Run what the arguments choose, and write bench/results/ablation.json and docs/img/ablation.png."""
    from bench.ablation.command import main

    return main(arguments)
