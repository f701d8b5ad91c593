"""Batches of many tenants answer as each tenant alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid import AdapterTable, AdapterWeights, BaseMismatch, FinalStep, Geometry, Grid, LoraAdapter, RankTooHigh
from tests.grid.builders import batch_of, close, geometries, geometry, make_adapter, make_grid, texts

pytestmark = pytest.mark.usefixtures("one_thread")


def final(
    grid: Grid, sequences: list[list[int]], slots: list[int], students: int, table: AdapterTable | None
) -> FinalStep:
    *_, last = grid.steps(batch_of(grid, sequences, slots), students=students, adapters=table)
    assert isinstance(last, FinalStep)
    return last


def loaded(shape: Geometry, count: int) -> tuple[AdapterTable, list[AdapterWeights]]:
    """Adapters of ranks 1.. and heads of 1.. classes in slots of a table."""
    table = AdapterTable(shape, slots=count, rank_max=count)
    adapters = [make_adapter(shape, seed=index, rank=1 + index, classes=1 + index) for index in range(count)]
    for index, adapter in enumerate(adapters):
        table.put(f"sha256:{index}", adapter)
    return table, adapters


@settings(deadline=None)
@given(geometries(), texts(), st.data())
def test_a_mixed_batch_equals_each_request_alone(
    shape: Geometry, sequences: list[list[int]], data: st.DataObject
) -> None:
    grid = make_grid(shape)
    table, _ = loaded(shape, 3)
    slots = data.draw(st.lists(st.integers(0, 3), min_size=len(sequences), max_size=len(sequences)))
    k = data.draw(st.integers(1, shape.students))
    together = final(grid, sequences, slots, k, table)
    for index, (sequence, slot) in enumerate(zip(sequences, slots, strict=True)):
        alone = final(grid, [sequence], [slot], k, table)
        assert close(together.logits[index], alone.logits[0])
        assert close(together.pooled[index], alone.pooled[0])


@settings(deadline=None)
@given(geometries(), texts(), st.integers(0, 2))
def test_a_slot_computes_what_the_trained_adapter_computes(
    shape: Geometry, sequences: list[list[int]], which: int
) -> None:
    grid = make_grid(shape)
    table, adapters = loaded(shape, 3)
    weights = adapters[which]
    trained = LoraAdapter(shape, weights.labels, rank=weights.rank, alpha=weights.alpha)
    trained.load_weights(weights)
    slot = table.slot_of(f"sha256:{which}")
    assert slot is not None
    expected = grid(batch_of(grid, sequences), adapter=trained)
    answer = final(grid, sequences, [slot] * len(sequences), shape.students, table)
    assert close(torch.stack(answer.logits), expected.prefix_logits[-1])


@settings(deadline=None)
@given(geometries(), texts())
def test_the_delta_is_that_of_weights_merged_into_the_grid(shape: Geometry, sequences: list[list[int]]) -> None:
    grid = make_grid(shape)
    adapter = make_adapter(shape, seed=5, classes=shape.classes)
    table = AdapterTable(shape, slots=1)
    slot = table.put("sha256:a", adapter)
    answer = final(grid, sequences, [slot] * len(sequences), shape.students, table)
    merged = make_grid(shape)
    with torch.no_grad():
        for row, (down, up) in enumerate(zip(adapter.down, adapter.up, strict=True)):
            delta = up @ down * (adapter.alpha / adapter.rank)
            weight = merged.get_parameter(f"rows.{row}.qkv.weight")
            weight[:, : shape.hidden] += delta[:, 0]
            weight[:, 2 * shape.hidden :] += delta[:, 1]
        merged.readout.head.weight.copy_(adapter.head_weight)
        merged.readout.head.bias.copy_(adapter.head_bias)
    expected = merged(batch_of(merged, sequences)).prefix_logits[-1]
    assert close(torch.stack(answer.logits), expected, 1e-4)


def test_the_base_model_is_untouched_by_the_tenants_beside_it() -> None:
    grid = make_grid()
    table, _ = loaded(grid.geometry, 2)
    sequences = [[5, 6, 7], [8, 9], [10]]
    mixed = final(grid, sequences, [0, 1, 2], 3, table)
    assert close(mixed.logits[0], final(grid, sequences, [0, 0, 0], 3, None).logits[0])
    assert [len(logits) for logits in mixed.logits] == [4, 1, 2]


def test_a_batch_without_tenants_computes_no_adapters() -> None:
    grid = make_grid()
    table, _ = loaded(grid.geometry, 2)
    assert table.select(torch.tensor([0, 0])) is None
    assert table.select(torch.tensor([0, 2])) is not None


def test_a_fresh_adapter_changes_no_hidden_state() -> None:
    grid = make_grid()
    fresh = LoraAdapter(grid.geometry, ("a", "b"), rank=2, alpha=4)
    batch = batch_of(grid, [[5, 6], [7]])
    assert close(grid(batch, adapter=fresh).pooled, grid(batch).pooled)


def test_training_an_adapter_leaves_the_grid_frozen() -> None:
    grid = make_grid().requires_grad_(False)
    adapter = LoraAdapter(grid.geometry, ("a", "b"), rank=2, alpha=4)
    optimizer = torch.optim.Adam(adapter.parameters(), lr=0.05)
    batch, targets = batch_of(grid, [[5, 6], [7], [8, 9, 10], [11]]), torch.tensor([0, 1, 1, 0])
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(grid(batch, adapter=adapter).prefix_logits[-1], targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4
    assert all(parameter.grad is None for parameter in grid.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"students": 2}, "students 2, the ensemble has 3"),
        ({"rows": 2}, "rows 2, the ensemble has 3"),
        ({"hidden": 8}, "hidden 8, the ensemble has 16"),
    ],
)
def test_an_adapter_for_another_shape_of_grid_is_refused(changes: dict[str, int], message: str) -> None:
    table = AdapterTable(geometry(), slots=1)
    with pytest.raises(BaseMismatch, match=message):
        table.put("sha256:a", make_adapter(geometry(**changes), seed=0))
    assert table.used == 0


def test_a_rank_above_the_tables_is_refused() -> None:
    table = AdapterTable(geometry(), slots=1, rank_max=4)
    with pytest.raises(RankTooHigh, match="rank 5, this worker has room for 4"):
        table.put("sha256:a", make_adapter(geometry(), seed=0, rank=5))
