"""Text to token ids, from an artifact's `tokenizer.json`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from phalanx_grid.errors import ArtifactCorrupt
from phalanx_grid.panics import STOPS

FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Encoding:
    """Ids of one text with its special tokens, and whether tokens were left out."""

    ids: list[int]
    truncated: bool


class TextTooLong(ValueError):
    """A text has more tokens than the limit, and the caller did not allow truncation."""

    def __init__(self, index: int, tokens: int, limit: int) -> None:
        self.index, self.tokens, self.limit = index, tokens, limit
        super().__init__(f"text {index} has {tokens} tokens, at most {limit} are allowed")


class Tokenizer:
    """Encodes single texts. Safe to use from many threads: nothing changes after construction.

    `source` is the JSON as it was read, so that an artifact carries it unchanged.
    """

    def __init__(self, source: bytes, max_tokens: int, *, file: str = FILE) -> None:
        self.source, self._file = source, file
        with self._explained("not a tokenizer"):
            self._inner = tokenizers.Tokenizer.from_str(source.decode())
        # Files carry the padding and truncation of their training, which would apply to every call.
        self._inner.no_padding()
        self._inner.no_truncation()
        with self._explained("no text can be encoded with it; mend it, and encode a text before you save it"):
            self._specials = self._count_specials()
        if max_tokens <= sum(self._specials):
            raise ValueError(f"max_tokens {max_tokens} leaves no room beside {sum(self._specials)} special tokens")
        self.max_tokens = max_tokens

    @classmethod
    def load(cls, path: Path | str, max_tokens: int) -> Tokenizer:
        """Read `tokenizer.json` from a directory, or the file itself.

        Raises:
            ArtifactCorrupt: there is none, or it is not a tokenizer.
        """
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        try:
            source = file.read_bytes()
        except FileNotFoundError as error:
            raise ArtifactCorrupt("missing", file=file.name) from error
        return cls(source, max_tokens, file=file.name)

    @property
    def vocab(self) -> int:
        """One more than the largest id it can give."""
        return max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def encode(self, texts: Sequence[str], truncate: bool = True, max_tokens: int | None = None) -> list[Encoding]:
        """Ids of each text, cut to `max_tokens` (by default and at most the model's own limit).

        A cut keeps the special tokens at both ends.

        Raises:
            TextTooLong: a text is longer and `truncate` is false.
            ArtifactCorrupt: the tokenizer has a defect that shows with one of these texts.
        """
        limit = self.max_tokens if max_tokens is None else min(max_tokens, self.max_tokens)
        with self._explained("a text cannot be encoded with it"):
            encoded = self._inner.encode_batch([_valid(text) for text in texts])
        return [self._cut(index, encoding.ids, limit, truncate) for index, encoding in enumerate(encoded)]

    def _cut(self, index: int, ids: list[int], limit: int, truncate: bool) -> Encoding:
        if len(ids) <= limit:
            return Encoding(ids, truncated=False)
        if not truncate:
            raise TextTooLong(index, len(ids), limit)
        before, after = self._specials
        kept = max(limit - after, before)
        return Encoding(ids[:kept] + ids[len(ids) - after :], truncated=True)

    def _count_specials(self) -> tuple[int, int]:
        """How many special tokens stand before and after a text."""
        mask = self._inner.encode("a").special_tokens_mask
        before = mask.index(0) if 0 in mask else len(mask)
        after = mask[::-1].index(0) if 0 in mask else 0
        return before, after

    @contextlib.contextmanager
    def _explained(self, problem: str) -> Iterator[None]:
        """What the library makes of a malformed file: bare `Exception`, or a panic, which is not even that."""
        try:
            yield
        except STOPS:
            raise
        except BaseException as error:
            raise ArtifactCorrupt(f"{problem}: {error}", file=self._file) from error


def _valid(text: str) -> str:
    """The text with lone surrogates, which have no UTF-8, replaced."""
    return text.encode("utf-8", "replace").decode()
