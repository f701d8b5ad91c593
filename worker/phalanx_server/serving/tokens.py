"""Tokenization: short texts where they are, long ones off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from phalanx_grid import Encoding, TextTooLong, Tokenizer
from phalanx_server.errors import EmptyText, Unprocessable

CHARS_PER_TOKEN: Final = 128
"""A cheap bound before any tokenization: of a text longer than this times the token limit the rest is not looked at.
WordPiece gives a token for every word, and words beyond 100 characters are one unknown token."""

INLINE_CHARS: Final = 256
"""A request of so many characters is tokenized on the event loop: that takes less time, of the loop too, than the way
to a thread and back, and saves the engine's thread two others that it would have to share the interpreter with."""


class TokenThreads:
    """A small pool of threads for long texts: the tokenizer releases the interpreter lock while it works."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tokenizer")

    async def encode(self, tokenizer: Tokenizer, texts: Sequence[str], *, truncate: bool) -> list[Encoding]:
        """Token ids of all texts of one request, in one hop at most.

        Raises:
            Unprocessable: a text is too long and may not be cut. EmptyText: nothing is left of one.
        """
        most_chars = tokenizer.max_tokens * CHARS_PER_TOKEN
        for index, text in enumerate(texts):
            if len(text) > most_chars and not truncate:
                raise Unprocessable(
                    f"text {index} has {len(text)} characters, far more than {tokenizer.max_tokens} tokens: "
                    "shorten it or set truncate"
                )
        cut = [text[:most_chars] for text in texts]
        try:
            if sum(map(len, cut)) <= INLINE_CHARS:
                encodings = tokenizer.encode(cut, truncate)
            else:
                loop = asyncio.get_running_loop()
                encodings = await loop.run_in_executor(self._pool, tokenizer.encode, cut, truncate)
        except TextTooLong as error:
            raise Unprocessable(f"{error}: shorten it or set truncate") from error
        for index, encoding in enumerate(encodings):
            if not encoding.ids:
                # Of a tokenizer that adds no tokens of its own.
                raise EmptyText(f"text {index} has nothing that the model reads")
        return encodings

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
