"""Batches as words, and tensors on their way between host and device."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid import Batch
from phalanx_grid.execution import words
from phalanx_grid.execution.staging import Inbound, Returns
from tests.grid.builders import texts

PAD = 1


@given(texts(), st.integers(0, 3), st.integers(0, 5))
def test_words_give_the_batch_back_with_padding_around_it(
    sequences: list[list[int]], more_texts: int, more_tokens: int
) -> None:
    batch = Batch.pad(sequences, PAD)
    n, length = batch.size + more_texts, batch.length + more_tokens
    into = torch.full((words.count(n, length),), -1, dtype=torch.int32)
    words.write(batch, into, texts=n, length=length, pad_id=PAD)
    back = words.read(into, texts=n, length=length, full=False)
    assert torch.equal(back.ids[: batch.size, : batch.length].long(), batch.ids)
    assert torch.equal(back.mask[: batch.size, : batch.length], batch.mask)
    assert not back.mask[: batch.size, batch.length :].any()
    rest = back.ids.clone()
    rest[: batch.size, : batch.length] = PAD
    assert (rest == PAD).all()


@given(texts(), st.integers(1, 3))
def test_a_padding_text_has_one_token_so_that_its_mean_is_a_number(sequences: list[list[int]], more: int) -> None:
    batch = Batch.pad(sequences, PAD)
    into = torch.zeros(words.count(batch.size + more, batch.length), dtype=torch.int32)
    words.write(batch, into, texts=batch.size + more, length=batch.length, pad_id=PAD)
    back = words.read(into, texts=batch.size + more, length=batch.length, full=False)
    assert back.mask[batch.size :].sum(1).tolist() == [1] * more


def test_a_batch_that_is_where_the_grid_computes_stays_as_it_is() -> None:
    batch = Batch.pad([[2, 3]], PAD)
    assert Inbound(torch.device("cpu"), PAD).take(batch) is batch


def test_an_answer_on_the_host_is_there_at_once() -> None:
    answer = torch.ones(2, 3)
    returning = Returns().send(answer)
    assert returning.ready()
    assert returning.read() is answer
