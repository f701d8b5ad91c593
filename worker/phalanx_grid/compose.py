"""Grids from grids: stand students side by side, or cut some of them out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from phalanx_grid.grid import Grid
from phalanx_grid.readout import prefix_weights


def stack(grids: Sequence[Grid], weights: Sequence[float] | Sequence[Sequence[float]] | Tensor) -> Grid:
    """One grid with the students of all, in order.

    `weights` are prefix weights [K, K], or [K] for what a student counts in every prefix. The grids must agree in
    geometry, labels and embeddings, which all students share.

    Raises:
        ValueError: they do not agree; the message says in what.
    """
    first = grids[0]
    for index, grid in enumerate(grids[1:], start=1):
        _check_alike(first, grid, index)
    students = sum(grid.geometry.students for grid in grids)
    matrix = prefix_weights(torch.as_tensor(weights, dtype=torch.float32))
    if len(matrix) != students:
        raise ValueError(f"{len(matrix)} weights for {students} students")
    result = Grid(first.geometry.replace(students=students), first.labels, ramps=first.has_ramps)
    states = [grid.state_dict() for grid in grids]
    merged = {name: _join(name, [state[name] for state in states]) for name in states[0]}
    merged["weights"] = matrix
    result.load_state_dict(merged, assign=True)
    return result


def cut(grid: Grid, *, students: Sequence[int] | None = None, rows: Sequence[int] | None = None) -> Grid:
    """A copy of some students and rows (all by default), in the order given.

    Ramps stay only if the rows are the first ones: a ramp reads the states that it was trained on. Students keep the
    weights that they have in the smallest prefix of the grid which holds them all.

    Raises:
        ValueError: an empty choice, or a student or row that the grid does not have.
    """
    columns = _choice("students", students, grid.geometry.students)
    kept = _choice("rows", rows, grid.geometry.rows)
    ramps = grid.has_ramps and kept == list(range(len(kept)))
    geometry = grid.geometry.replace(students=len(columns), rows=len(kept))
    result = Grid(geometry, grid.labels, ramps=ramps)
    source = grid.state_dict()
    state = {name: _pick(name, source[_source_name(name, kept)], columns).clone() for name in result.state_dict()}
    state["weights"] = _cut_weights(grid.weights, columns)
    result.load_state_dict(state, assign=True)
    return result


def shared(name: str) -> bool:
    """Whether a parameter is shared by all students; every other has them as its first dimension."""
    return name.startswith("embeddings.")


def _pick(name: str, tensor: Tensor, columns: list[int]) -> Tensor:
    return tensor if shared(name) else tensor[columns]


def _cut_weights(weights: Tensor, columns: list[int]) -> Tensor:
    """Prefix weights of the chosen students: row by row those of the prefix that the last of them stands in."""
    reach = list(accumulate(columns, max))
    return weights[reach][:, columns].tril()


def _join(name: str, tensors: list[Tensor]) -> Tensor:
    return tensors[0].clone() if shared(name) else torch.cat(tensors)


def _source_name(name: str, kept: list[int]) -> str:
    """The name in the source grid of what row `rows.<i>` of the result is."""
    parts = name.split(".")
    if parts[0] == "rows":
        parts[1] = str(kept[int(parts[1])])
    return ".".join(parts)


def _choice(what: str, chosen: Sequence[int] | None, count: int) -> list[int]:
    result = list(range(count)) if chosen is None else list(chosen)
    if not result or not all(0 <= index < count for index in result):
        raise ValueError(f"{what} {result} cannot be cut from a grid that has 0..{count - 1}")
    return result


def _check_alike(first: Grid, other: Grid, index: int) -> None:
    alike = first.geometry.replace(students=1) == other.geometry.replace(students=1)
    if not alike or first.labels != other.labels or first.has_ramps != other.has_ramps:
        raise ValueError(f"grid {index} differs from grid 0 in geometry, labels or ramps")
    mine, theirs = first.embeddings.state_dict(), other.embeddings.state_dict()
    for name, tensor in mine.items():
        if not torch.equal(tensor, theirs[name]):
            raise ValueError(f"grid {index} has other embeddings ({name}): students share one table, so freeze it")
