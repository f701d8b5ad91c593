"""Texts and what the fine-tuned teacher says of them: computed once, kept, and used by every student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phalanx_distill.corpus import Corpus
from phalanx_distill.predict import each_batch
from phalanx_distill.ramps import pooled
from phalanx_distill.run import Run
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.targets import centred, hidden_rows
from phalanx_grid import Grid, GridOutput


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """Texts and their targets.

    `logits` float32 [N, C], centred. `hidden` float32 [S, N, H]: the teacher's pooled states that students 0..S-1 are
    drawn to, the last for all further ones; S is 0 where there is no such target. `labels` int64 [N]: the class index
    of a training row, -1 for other texts.
    """

    corpus: Corpus
    logits: Tensor
    hidden: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.corpus)

    def thinned(self, most: int) -> Taught:
        """At most so many of the texts, evenly drawn."""
        step = -(-len(self) // most)
        return replace(
            self,
            corpus=self.corpus.thinned(most),
            logits=self.logits[::step],
            hidden=self.hidden[:, ::step],
            labels=self.labels[::step],
        )


def taught(
    run: Run, name: str, teacher: Grid, corpus: Corpus, labels: Tensor | None = None, *, stages: Stages
) -> Taught:
    """The teacher's answers, kept as a snapshot: on transfer text they cost as much as an epoch of a student.

    `labels` int64 are those of the first texts; the others have none.
    """
    marked = torch.full((len(corpus),), -1)
    if labels is not None:
        marked[: len(labels)] = labels
    wanted = hidden_rows(run.settings.students, teacher.geometry.rows)
    kept = f"answers-{name}-{fingerprint(ids=corpus.ids, hidden=wanted)[:8]}"
    snapshot = stages.load(kept)
    if snapshot is None:
        with run.report.stage(f"teacher on {name}", len(corpus)) as advance:
            tensors = answers(run, teacher, corpus, wanted, done=advance)
        stages.save(kept, tensors, {})
    else:
        tensors = snapshot.tensors
    return Taught(corpus=corpus, labels=marked, **tensors)


def answers(
    run: Run, teacher: Grid, corpus: Corpus, wanted: Sequence[int], *, done: Callable[[int], None]
) -> dict[str, Tensor]:
    """`logits` and `hidden` as `Taught` has them; `wanted` are the rows whose states are kept."""

    def take(output: GridOutput, mask: Tensor) -> tuple[Tensor, ...]:
        states = [pooled(output.hidden[row + 1], mask, teacher.geometry.pooling) for row in wanted]
        return (output.prefix_logits, *states)

    logits, *states = each_batch(teacher, corpus, run.compute, take, done=done, collect_hidden=bool(wanted))
    none = torch.zeros(0, len(corpus), teacher.geometry.hidden)
    return {"logits": centred(logits[-1]), "hidden": torch.cat(states) if states else none}
