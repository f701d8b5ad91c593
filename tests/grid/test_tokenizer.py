"""Text to ids."""

from __future__ import annotations

import base64
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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


CHARSMAP = struct.pack("<I", 480) + bytes(480) + b"x\0"
"""Parses, and makes the library panic at the first character outside of ASCII."""

ONLY_A_SECOND_TEXT = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "B", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {},
}
UNDECLARED = ONLY_A_SECOND_TEXT | {"single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}]}
LONG_PREFIX = {
    "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "###", "end_of_word_suffix": None,
    "fuse_unk": False, "byte_fallback": False, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"],
}  # fmt: skip


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(TOKENIZER.source) | changes).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="}},
        {"post_processor": ONLY_A_SECOND_TEXT},
        {"post_processor": UNDECLARED},
        {"model": LONG_PREFIX},
        {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
        {"model": {"type": "Unigram", "unk_id": None, "vocab": [], "byte_fallback": False}},
    ],
    ids=["charsmap", "charsmap index", "second text", "undeclared token", "prefix", "no length", "no vocabulary"],
)
def test_a_file_that_parses_and_makes_the_library_panic_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json: (not a tokenizer|no text can be encoded with it)"):
        Tokenizer(changed(**changes), 24)


def test_a_text_on_which_the_library_panics_fails_by_an_ordinary_error_and_hurts_no_other() -> None:
    charsmap = base64.b64encode(CHARSMAP).decode()
    tokenizer = Tokenizer(changed(normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap}), 24)
    for text in ("\xe9\xe9", "w0 \xe9"):
        with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json: a text cannot be encoded with it"):
            tokenizer.encode(["w0", text])
        assert tokenizer.encode(["w0"])[0].ids == [2, 4, 3]
