"""Accuracy of ensembles against their teachers, on real tasks, three seeds each.

Every run is one `phalanx distill` in a process of its own with one thread, so that the cores train different runs. Runs
are kept in `.cache/bench/accuracy`: an interrupted one goes on, a finished one is not repeated. The result is written
after every run, and keeps what earlier calls measured, each run with its own commit, date and settings. Seeds of a
task that were trained with other settings are forgotten; trials (`--students`, `--rows`, `--set`) have runs and a
result of their own in `.cache/bench/trials`.

Figures of one run, such as `minilm:movie:s0`, are measured on its held-out rows:

- `teacher`, `kN:accuracy`: shares that are right; low and high are Wilson's 95 % interval. `teacher` is the one of the
  run's own seed, which students are cut from and held against.
- `teachers`, `together`: how many teachers students learned the mean logits of, and what that mean gets right. It is
  better than any one of them as a rule: students can be level with their own teacher, and below what they learned from.
- `kN:difference`: accuracy of N students less the teacher's on the same rows, with Newcombe's paired 95 % interval.
- `kN:agreement`: the share of rows that N students answer as the teacher does (Wilson).
- `kN:residual`: the share of the teacher's logits that N students leave over on validation rows (mean squares).
- `students`, `rows`, `seconds`: the shape, and what the last process of the run took.

Over seeds, `minilm:movie:all:difference` is the mean over seeds of the difference of all students. Seeds share their
held-out rows, so its interval is the mean of theirs: as wide as if seeds were one another's copies. It tells how these
very students would do on other rows, and not how those of other seeds would: for that `minilm:movie:all:seeds` has the
lowest and the highest seed as its bounds. The three seeds learn from the same three teachers, each from the rows of
another, so teachers anew would differ by more than that. `minilm:worst:one` is the worst single student of all runs.
`minilm:mean:difference` is the mean over the tasks that were run. Tasks that share their rows (TREC-6 and TREC-50)
count as each other's copies, all others as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run(arguments: Sequence[str] = ()) -> Path:
    """Run what the arguments choose, and write bench/results/accuracy.json and docs/img/accuracy.png."""
    from bench.accuracy.command import main

    return main(arguments)
