"""Texts as token ids, and how they become batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_distill.errors import DataError
from phalanx_distill.report.words import shortened
from phalanx_grid import Batch, Tokenizer


@dataclass(frozen=True, slots=True)
class Corpus:
    """Token ids of N texts, in the order in which the texts were given."""

    ids: tuple[tuple[int, ...], ...]
    pad_id: int

    @classmethod
    def encode(cls, tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int, pad_id: int) -> Corpus:
        """Tokenize once; longer texts are cut at `max_tokens`.

        Raises:
            DataError: the tokenizer makes nothing of a text.
        """
        encodings = tokenizer.encode(list(texts), max_tokens=max_tokens)
        for text, encoding in zip(texts, encodings, strict=True):
            if not encoding.ids:
                raise DataError(f"the teacher's tokenizer makes no token of the text {shortened(text)!r}; leave it out")
        return cls(ids=tuple(tuple(encoding.ids) for encoding in encodings), pad_id=pad_id)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(ids) for ids in self.ids]

    def thinned(self, most: int) -> Corpus:
        """At most so many of the texts, evenly drawn."""
        step = -(-len(self.ids) // most)
        return Corpus(ids=self.ids[::step], pad_id=self.pad_id)

    def batch(self, rows: Sequence[int]) -> Batch:
        """The chosen texts, padded to their longest."""
        return Batch.pad([self.ids[row] for row in rows], self.pad_id)
