"""Text to ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid import ArtifactCorrupt, Encoding, TextTooLong, Tokenizer
from tests.grid.builders import make_tokenizer

TOKENIZER = make_tokenizer()
WORDS = st.lists(st.integers(0, 9), max_size=40)


@given(WORDS, st.integers(3, 40))
def test_a_cut_keeps_the_special_tokens_and_never_exceeds_the_limit(words: list[int], limit: int) -> None:
    text = " ".join(f"w{word}" for word in words)
    (encoding,) = TOKENIZER.encode([text], max_tokens=limit)
    bound = min(limit, 24)
    assert len(encoding.ids) == min(len(words) + 2, bound)
    assert encoding.truncated == (len(words) + 2 > bound)
    assert (encoding.ids[0], encoding.ids[-1]) == (2, 3)
    assert encoding.ids[1:-1] == [4 + word for word in words[: bound - 2]]


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_ids_and_one_alone_has_the_same(texts: list[str]) -> None:
    together = TOKENIZER.encode(texts)
    assert together == [TOKENIZER.encode([text])[0] for text in texts]


def test_padding_and_truncation_in_the_file_do_not_apply() -> None:
    assert TOKENIZER.encode(["w0 w1 w2 w3 w4"]) == [Encoding([2, 4, 5, 6, 7, 8, 3], truncated=False)]


def test_a_lone_surrogate_is_no_reason_to_fail() -> None:
    assert TOKENIZER.encode(["w0 \ud800"])[0].ids[:2] == [2, 4]


def test_without_truncation_a_long_text_is_refused_with_its_place() -> None:
    with pytest.raises(TextTooLong, match="text 1 has 32 tokens, at most 24 are allowed") as caught:
        TOKENIZER.encode(["w0", "w1 " * 30], truncate=False)
    assert (caught.value.index, caught.value.tokens, caught.value.limit) == (1, 32, 24)


def test_many_threads_get_their_own_answers() -> None:
    def encode(word: int) -> list[int]:
        return TOKENIZER.encode([f"w{word} " * 40], max_tokens=3 + word)[0].ids

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(encode, [index % 10 for index in range(400)]))
    assert answers == [[2, *[4 + index % 10] * (1 + index % 10), 3] for index in range(400)]


def test_a_limit_without_room_for_text_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no room beside 2 special tokens"):
        make_tokenizer(2)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": "9"}'])
def test_a_file_that_is_no_tokenizer_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json: not a tokenizer"):
        Tokenizer.load(tmp_path, 10)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json: missing"):
        Tokenizer.load(tmp_path, 10)
