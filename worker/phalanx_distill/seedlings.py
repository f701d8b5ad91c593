"""Where a student starts: which rows of the fine-tuned teacher it copies, and what of it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from phalanx_distill.config import RowsFrom, StudentSettings
from phalanx_distill.errors import SettingError
from phalanx_grid import Grid, cut

EMBEDDINGS = "embeddings."


def rows_of(settings: StudentSettings, index: int, *, depth: int, teacher_rows: int) -> tuple[int, ...]:
    """The teacher's rows that student `index` of `depth` rows starts from.

    Raises:
        SettingError: the teacher has no such rows, or they are not as many as the student's.
    """
    if depth > teacher_rows:
        raise SettingError("students.rows", f"{depth}, but the teacher has {teacher_rows}; take fewer")
    start = _start(settings, index)
    if isinstance(start, str):
        rows = _spread(index if start == "staggered" else 0, depth, teacher_rows)
    elif isinstance(start, tuple):
        rows = start
    else:
        rows = tuple(range(start, start + depth))
    if len(rows) != depth:
        raise SettingError("students.rows_from", f"{len(rows)} rows for a student of {depth}: {list(rows)}")
    if max(rows) >= teacher_rows:
        raise SettingError("students.rows_from", f"rows {list(rows)} of a teacher that has 0..{teacher_rows - 1}")
    return rows


def _spread(turn: int, depth: int, teacher_rows: int) -> tuple[int, ...]:
    """Rows evenly over the teacher from its first row on, in the next turn from its second on, and so on while there is
    room; then its first rows; then over again."""
    even = [row * teacher_rows // depth for row in range(depth)]
    shifted = [tuple(row + shift for row in even) for shift in range(max(teacher_rows // depth, 1))]
    starts = list(dict.fromkeys([*shifted, tuple(range(depth))]))
    return starts[turn % len(starts)]


def _start(settings: StudentSettings, index: int) -> RowsFrom:
    given = settings.rows_from
    return given[min(index, len(given) - 1)] if isinstance(given, tuple) else given


def seedling(
    teacher: Grid, rows: Sequence[int], *, silent: bool, embeddings: Mapping[str, Tensor] | None = None
) -> Grid:
    """An untrained student: rows of the fine-tuned teacher and its head; `embeddings` in place of the teacher's.

    A `silent` one has a zero head: it starts from the residual as it is, so it can only lower it.
    """
    grid = cut(teacher, rows=rows)
    if embeddings is not None:
        grid.embeddings.load_state_dict(embeddings)
    if silent:
        with torch.no_grad():
            grid.readout.head.weight.zero_()
            grid.readout.head.bias.zero_()
    return grid


def own_parameters(grid: Grid, *, embeddings: bool = False) -> dict[str, Parameter]:
    """What is trained of students: everything, the embeddings only if asked for (all students share them)."""
    grid.requires_grad_(False)
    return {name: value for name, value in grid.named_parameters() if embeddings or not name.startswith(EMBEDDINGS)}
