"""Padding id lists."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from phalanx_grid import Batch
from tests.grid.builders import texts


@given(texts())
def test_every_text_can_be_read_back_from_its_batch(sequences: list[list[int]]) -> None:
    batch = Batch.pad(sequences, 0)
    assert [ids[mask].tolist() for ids, mask in zip(batch.ids, batch.mask, strict=True)] == sequences
    assert batch.ids[~batch.mask].eq(0).all()
    assert batch.full == bool(batch.mask.all())
    assert (batch.size, batch.length) == (len(sequences), max(map(len, sequences)))


def test_slots_stay_with_the_batch_when_it_moves() -> None:
    batch = Batch.pad([[1, 2], [3]], 0, [0, 4]).to("cpu")
    assert batch.slots is not None
    assert batch.slots.tolist() == [0, 4]
    assert batch.ids.dtype == torch.int64


@pytest.mark.parametrize("sequences", [[], [[]], [[1], []]])
def test_a_batch_without_tokens_is_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Batch.pad(sequences, 0)


def test_another_number_of_slots_than_sequences_is_refused() -> None:
    with pytest.raises(ValueError, match="1 slots for 2 sequences"):
        Batch.pad([[1], [2]], 0, [0])
