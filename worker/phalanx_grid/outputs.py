"""What a pass through the grid gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class GridOutput:
    """Everything training needs from one pass of k students over N sequences.

    `prefix_logits` float32 [k, N, C]: element j is the prediction of the first j+1 students.
    `pooled` [k, N, H]: each student's pooled last states.
    `hidden`: with `collect_hidden`, L+1 states [k, N, S, H], the embeddings first; else empty.
    `ramp_logits`: for rows 0..L-2, prefix sums [k, N, C] of the ramp there; None where the grid has no ramps.
    """

    prefix_logits: Tensor
    pooled: Tensor
    hidden: tuple[Tensor, ...]
    ramp_logits: tuple[Tensor | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RampStep:
    """The ramp after `row` has spoken: float32 logits [N, C] of the base model.

    They mean nothing for sequences of a tenant (slot other than 0).
    """

    row: int
    logits: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FinalStep:
    """The end of the grid: float32 logits for each sequence, [C_i] (tenants bring heads of other sizes), and the
    embedding [N, H], which is the weighted sum of the students' pooled states.

    `together` [N, C] are the same logits in one piece where no tenant's head is among them: one copy takes them away.
    """

    logits: list[Tensor]
    pooled: Tensor
    together: Tensor | None = None
