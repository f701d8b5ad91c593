"""Grids that share a grid's weights: other layers over the same memory."""

from __future__ import annotations

import torch

from phalanx_grid.compose import shared
from phalanx_grid.grid import Grid


def twin(grid: Grid) -> Grid:
    """A grid of the same weights, to be given other layers without touching the first."""
    return _over(grid, grid.geometry.students, {name: value.detach() for name, value in grid.state_dict().items()})


def alone(grid: Grid, student: int) -> Grid:
    """One student as a grid of its own over views of the same weights. It has no say in sums: its weight is 1."""
    state = {}
    for name, value in grid.state_dict().items():
        tensor = value.detach()
        state[name] = tensor if shared(name) else tensor[student : student + 1]
    state["weights"] = torch.ones(1, 1, device=grid.weights.device)
    return _over(grid, 1, state)


def _over(grid: Grid, students: int, state: dict[str, torch.Tensor]) -> Grid:
    with torch.device("meta"):
        result = Grid(grid.geometry.replace(students=students), grid.labels, ramps=grid.has_ramps)
    result.load_state_dict(state, assign=True)
    return result.requires_grad_(False).eval()
