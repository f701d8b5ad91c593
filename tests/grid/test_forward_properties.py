"""What the grid promises for every geometry and batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid import Batch, FinalStep, Geometry, Grid, RampStep, cast, cut
from tests.grid.builders import MPNET, batch_of, close, geometries, geometry, make_grid, texts

pytestmark = pytest.mark.usefixtures("one_thread")
SEEDS = st.integers(0, 2**16)


@settings(deadline=None)
@given(geometries(), texts(), SEEDS)
def test_a_batched_answer_equals_the_answer_alone(shape: Geometry, sequences: list[list[int]], seed: int) -> None:
    grid = make_grid(shape, seed=seed)
    together = grid(batch_of(grid, sequences))
    for index, sequence in enumerate(sequences):
        alone = grid(batch_of(grid, [sequence]))
        assert close(together.prefix_logits[:, index], alone.prefix_logits[:, 0])
        assert close(together.pooled[:, index], alone.pooled[:, 0])


@settings(deadline=None)
@given(geometries(), texts(), st.integers(1, 4), SEEDS)
def test_more_padding_changes_nothing(shape: Geometry, sequences: list[list[int]], extra: int, seed: int) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, sequences)
    pad = torch.full((batch.size, extra), grid.geometry.pad_id)
    longer = Batch(torch.cat([batch.ids, pad], 1), torch.cat([batch.mask, torch.zeros_like(pad).bool()], 1))
    assert close(grid(batch).prefix_logits, grid(longer).prefix_logits)


@settings(deadline=None)
@given(geometries(), st.integers(1, 20), st.integers(1, 4), SEEDS)
def test_a_full_batch_needs_no_mask(shape: Geometry, length: int, size: int, seed: int) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, torch.randint(2, 50, (size, length)).tolist())
    assert batch.full
    masked = Batch(batch.ids, batch.mask, full=False)
    assert close(grid(batch).prefix_logits, grid(masked).prefix_logits)


@settings(deadline=None)
@given(geometries(), texts(), SEEDS)
def test_prefix_sums_equal_the_weighted_sum_of_students_run_one_by_one(
    shape: Geometry, sequences: list[list[int]], seed: int
) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, sequences)
    output = grid(batch)
    own: list[torch.Tensor] = []
    for student in range(shape.students):
        alone = cut(grid, students=[student])
        own.append(alone(batch).prefix_logits[0] / alone.weights[0, 0])
        counted = [weight * logits for weight, logits in zip(grid.weights[student], own, strict=False)]
        assert close(output.prefix_logits[student], torch.stack(counted).sum(0))
        assert close(output.pooled[student], alone(batch).pooled[0])


@settings(deadline=None)
@given(geometries(), texts(), SEEDS)
def test_fewer_students_give_the_first_answers_of_more(shape: Geometry, sequences: list[list[int]], seed: int) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, sequences)
    output = grid(batch)
    for k in range(1, shape.students + 1):
        assert close(grid(batch, students=k).prefix_logits, output.prefix_logits[:k])


@settings(deadline=None)
@given(geometries(), texts(), SEEDS)
def test_steps_say_what_forward_says_for_every_number_of_students(
    shape: Geometry, sequences: list[list[int]], seed: int
) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, sequences)
    output = grid(batch)
    for k in range(1, shape.students + 1):
        *ramps, final = grid.steps(batch, students=k)
        assert [step.row for step in ramps if isinstance(step, RampStep)] == list(range(shape.rows - 1))
        for step, expected in zip(ramps, output.ramp_logits, strict=True):
            assert isinstance(step, RampStep)
            assert expected is not None
            assert close(step.logits, expected[k - 1])
        assert isinstance(final, FinalStep)
        assert close(torch.stack(final.logits), output.prefix_logits[k - 1])
        weighted = output.pooled[:k] * grid.weights[k - 1, :k, None, None]
        assert close(final.pooled, weighted.sum(0))


@settings(deadline=None)
@given(geometries(), texts(), SEEDS)
def test_collecting_hidden_states_changes_no_answer(shape: Geometry, sequences: list[list[int]], seed: int) -> None:
    grid = make_grid(shape, seed=seed)
    batch = batch_of(grid, sequences)
    plain, collected = grid(batch), grid(batch, collect_hidden=True)
    assert close(plain.prefix_logits, collected.prefix_logits)
    assert close(plain.pooled, collected.pooled)


def test_hidden_states_are_given_for_the_embeddings_and_every_row() -> None:
    grid = make_grid()
    batch = batch_of(grid, [[5, 6, 7], [8]])
    hidden = grid(batch, students=2, collect_hidden=True).hidden
    assert [tuple(state.shape) for state in hidden] == [(2, 2, 3, 16)] * 4
    assert torch.equal(hidden[0][0], hidden[0][1])
    assert not close(hidden[1][0], hidden[1][1])


def test_only_the_asked_ramps_speak() -> None:
    grid = make_grid()
    steps = list(grid.steps(batch_of(grid, [[5]]), students=1, ramp_rows={1}))
    assert [step.row for step in steps if isinstance(step, RampStep)] == [1]


def test_a_grid_without_ramps_gives_only_the_final_step() -> None:
    grid = make_grid(ramps=False)
    assert not grid.has_ramps
    batch = batch_of(grid, [[5, 6]])
    assert [type(step) for step in grid.steps(batch, students=1)] == [FinalStep]
    assert grid(batch).ramp_logits == (None, None)


def test_steps_leave_the_caller_outside_of_inference_mode() -> None:
    grid = make_grid()
    for step in grid.steps(batch_of(grid, [[5]]), students=1):
        assert not torch.is_inference_mode_enabled()
        assert (step.logits if isinstance(step, RampStep) else step.pooled).is_inference()


def test_every_parameter_that_speaks_gets_a_gradient() -> None:
    grid = make_grid(geometry(pooler=True)).train()
    output = grid(batch_of(grid, [[5, 6, 7], [8]]))
    ramps = sum(logits.square().sum() for logits in output.ramp_logits if logits is not None)
    (output.prefix_logits.square().sum() + ramps).backward()
    silent = [name for name, parameter in grid.named_parameters() if parameter.grad is None]
    assert silent == []


def test_dropout_applies_while_training_alone() -> None:
    grid = make_grid()
    batch = batch_of(grid, [[5, 6, 7, 8]])
    grid.dropout = 0.5
    assert torch.equal(grid(batch).prefix_logits, grid(batch).prefix_logits)
    grid.train()
    assert not torch.equal(grid(batch).prefix_logits, grid(batch).prefix_logits)


def test_the_same_seed_gives_the_same_grid_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    states = [Grid.from_geometry(geometry(), seed=seed).state_dict() for seed in (3, 3, 4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["embeddings.word"], states[2]["embeddings.word"])


@pytest.mark.parametrize("students", [0, -1, 4])
def test_a_number_of_students_that_the_grid_does_not_have_is_refused(students: int) -> None:
    grid = make_grid()
    batch = batch_of(grid, [[5]])
    with pytest.raises(ValueError, match=r"asked of a grid that has 1\.\.3"):
        grid(batch, students=students)
    with pytest.raises(ValueError, match=r"asked of a grid that has 1\.\.3"):
        list(grid.steps(batch, students=students))


def test_a_text_longer_than_there_are_positions_is_refused() -> None:
    grid = make_grid()
    with pytest.raises(ValueError, match="29 tokens, but this grid takes at most 28"):
        grid(batch_of(grid, [[5] * 29]))


def test_an_embedding_grid_has_no_logits() -> None:
    grid = make_grid(geometry(classes=0))
    assert grid.task == "embedding"
    *_, final = grid.steps(batch_of(grid, [[5], [6, 7]]), students=2)
    assert isinstance(final, FinalStep)
    assert [tuple(logits.shape) for logits in final.logits] == [(0,), (0,)]
    assert final.pooled.shape == (2, 16)


def test_bfloat16_keeps_the_readout_in_float32_and_stays_near() -> None:
    grid = make_grid()
    batch = batch_of(grid, [[5, 6, 7], [8]])
    exact = grid(batch).prefix_logits
    cast(grid, torch.bfloat16)
    assert grid.weights.dtype == grid.readout.head.weight.dtype == torch.float32
    rough = grid(batch).prefix_logits
    assert rough.dtype == torch.float32
    assert torch.allclose(rough, exact, atol=0.5)
    assert not torch.equal(rough, exact)


def test_autocast_trains_in_bfloat16() -> None:
    grid = make_grid(geometry(**MPNET)).train()
    with torch.autocast("cpu", torch.bfloat16):
        output = grid(batch_of(grid, [[5, 6, 7], [8]]))
    assert output.prefix_logits.dtype == torch.float32
    output.prefix_logits.sum().backward()
    assert grid.embeddings.word.grad is not None
