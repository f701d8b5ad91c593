"""Cutting students out and standing them side by side."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid import Geometry, Grid, cut, stack
from tests.grid.builders import batch_of, close, geometries, geometry, make_grid, texts

pytestmark = pytest.mark.usefixtures("one_thread")


def same_state(a: Grid, b: Grid) -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@settings(deadline=None)
@given(geometries(), st.booleans())
def test_a_grid_cut_into_students_and_stacked_again_is_the_same(shape: Geometry, ramps: bool) -> None:
    grid = make_grid(shape, ramps=ramps)
    students = [cut(grid, students=[index]) for index in range(shape.students)]
    again = stack(students, grid.weights.tolist())
    assert again.geometry == shape
    assert same_state(again, grid)


@settings(deadline=None)
@given(geometries(), texts(), st.data())
def test_the_first_rows_compute_the_first_hidden_states(
    shape: Geometry, sequences: list[list[int]], data: st.DataObject
) -> None:
    grid = make_grid(shape)
    rows = data.draw(st.integers(1, shape.rows))
    batch = batch_of(grid, sequences)
    shallow = cut(grid, rows=range(rows))(batch, collect_hidden=True).hidden
    for ours, theirs in zip(shallow, grid(batch, collect_hidden=True).hidden[: rows + 1], strict=True):
        assert close(ours[:, batch.mask], theirs[:, batch.mask])


@settings(deadline=None)
@given(geometries(classes=3), texts(), st.data())
def test_the_first_students_cut_out_answer_as_that_prefix(
    shape: Geometry, sequences: list[list[int]], data: st.DataObject
) -> None:
    grid = make_grid(shape)
    k = data.draw(st.integers(1, shape.students))
    batch = batch_of(grid, sequences)
    assert close(cut(grid, students=range(k))(batch).prefix_logits, grid(batch).prefix_logits[:k])


def test_chosen_students_keep_the_weights_of_the_prefix_that_holds_them() -> None:
    grid = make_grid()
    weights = grid.weights
    assert torch.equal(cut(grid, students=[2]).weights, weights[2:, 2:])
    crossed = torch.stack([torch.tensor([weights[2, 2], 0.0]), weights[2, [2, 0]]])
    assert torch.equal(cut(grid, students=[2, 0]).weights, crossed)


def test_ramps_stay_with_the_first_rows_only() -> None:
    grid = make_grid()
    batch = batch_of(grid, [[5, 6], [7]])
    shallow = cut(grid, rows=[0, 1])
    assert shallow.has_ramps
    theirs, ours = grid(batch).ramp_logits[0], shallow(batch).ramp_logits[0]
    assert theirs is not None and ours is not None
    assert close(ours, theirs)
    assert not cut(grid, rows=[1, 2]).has_ramps


def test_rows_can_be_chosen_in_any_order() -> None:
    grid = make_grid()
    chosen = cut(grid, students=[2], rows=[2, 0])
    assert torch.equal(chosen.state_dict()["rows.0.up.weight"][0], grid.state_dict()["rows.2.up.weight"][2])
    assert torch.equal(chosen.state_dict()["rows.1.up.weight"][0], grid.state_dict()["rows.0.up.weight"][2])


def test_a_cut_is_a_copy() -> None:
    grid = make_grid()
    part = cut(grid)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for parameter in grid.parameters())


def test_a_stack_of_students_is_trainable_and_leaves_its_parts_alone() -> None:
    parts = [cut(make_grid(), students=[index]) for index in range(2)]
    whole = stack(parts, [1.0, 0.5])
    whole(batch_of(whole, [[5, 6]])).prefix_logits.sum().backward()
    assert whole.readout.head.weight.grad is not None
    assert all(parameter.grad is None for part in parts for parameter in part.parameters())
    assert whole.weights.tolist() == [[1.0, 0.0], [1.0, 0.5]]


@pytest.mark.parametrize("choice", [{"students": []}, {"students": [3]}, {"rows": [-1]}, {"rows": []}])
def test_students_and_rows_that_are_not_there_cannot_be_cut(choice: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match=r"cannot be cut from a grid that has 0\.\.2"):
        cut(make_grid(), **choice)


def test_grids_with_other_embeddings_cannot_be_stacked() -> None:
    one, other = (cut(make_grid(seed=seed), students=[0]) for seed in (0, 1))
    with pytest.raises(ValueError, match=r"grid 1 has other embeddings \(word\)"):
        stack([one, other], [1, 1])


def test_grids_of_other_geometry_labels_or_ramps_cannot_be_stacked() -> None:
    one = make_grid(ramps=False)
    others = [make_grid(geometry(ffn=8), ramps=False), make_grid(), Grid.from_geometry(geometry(), list("wxyz"))]
    for other in others:
        with pytest.raises(ValueError, match="differs from grid 0 in geometry, labels or ramps"):
            stack([one, other], [1] * 6)


def test_every_student_needs_a_weight() -> None:
    with pytest.raises(ValueError, match="2 weights for 3 students"):
        stack([make_grid()], [1, 1])
