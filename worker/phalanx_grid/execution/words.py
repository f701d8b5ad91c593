"""A batch as one row of int32 words, so that one copy brings it to a device: ids of every text, then their lengths.

The words have room for `texts` by `length`, at least the batch's own size. Room that is left over is padding: pad
tokens behind each text, and texts of one pad token behind the last (one without any would average over nothing).
"""

from __future__ import annotations

import torch
from torch import Tensor

from phalanx_grid.batch import Batch


def count(texts: int, length: int) -> int:
    """Words for so many texts of so many tokens."""
    return texts * (length + 1)


def write(batch: Batch, into: Tensor, *, texts: int, length: int, pad_id: int) -> None:
    """Put a batch into words, int32 [texts * (length + 1)]."""
    tokens, lengths = ids(into, texts=texts, length=length), into[texts * length :]
    if (batch.size, batch.length) != (texts, length):
        tokens.fill_(pad_id)
        lengths.fill_(1)
    tokens[: batch.size, : batch.length] = batch.ids
    lengths[: batch.size] = batch.mask.sum(1)


def ids(words: Tensor, *, texts: int, length: int) -> Tensor:
    """The ids [texts, length] in words, sharing their memory."""
    return words[: texts * length].view(texts, length)


def read(words: Tensor, *, texts: int, length: int, full: bool) -> Batch:
    """The batch [texts, length] in words, on their device."""
    mask = torch.arange(length, device=words.device) < words[texts * length :].unsqueeze(1)
    return Batch(ids(words, texts=texts, length=length), mask, full=full)
