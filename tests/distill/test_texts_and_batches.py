"""Made-up texts are repeatable; batches hold every row once; the rate climbs and falls."""

from __future__ import annotations

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.augment import neighbours, thinned
from phalanx_distill.batches import POOL_BATCHES, by_length, epoch_batches
from phalanx_distill.corpus import Corpus
from phalanx_distill.errors import DataError
from phalanx_distill.schedule import linear
from phalanx_grid import Tokenizer

TEXTS = st.lists(
    st.lists(st.sampled_from(["who", "what", "city", "wrote", "river", "it"]), min_size=1, max_size=8).map(" ".join),
    min_size=1,
    max_size=12,
    unique=True,
)


@given(TEXTS, st.integers(0, 5), st.floats(0, 1), st.integers(0, 9))
def test_the_same_seed_makes_the_same_new_texts(texts: list[str], each: int, drop: float, seed: int) -> None:
    made = neighbours(texts, each=each, word_drop=drop, seed=seed)
    assert made == neighbours(texts, each=each, word_drop=drop, seed=seed)
    assert len(made) <= each * len(texts)
    assert not set(made) & set(texts)
    assert len(set(made)) == len(made)
    words = {word for text in texts for word in text.split()}
    assert all(text and set(text.split()) <= words for text in made)


def test_another_seed_makes_other_texts() -> None:
    texts = [f"word{i} and some more words of text {i}" for i in range(20)]
    assert neighbours(texts, each=3, word_drop=0.3, seed=0) != neighbours(texts, each=3, word_drop=0.3, seed=1)


def test_thinning_differs_by_epoch_and_repeats_within_one() -> None:
    texts = [f"word{i} and some more words of text {i}" for i in range(20)]
    assert thinned(texts, share=0.3, seed=0, epoch=1) == thinned(texts, share=0.3, seed=0, epoch=1)
    assert thinned(texts, share=0.3, seed=0, epoch=1) != thinned(texts, share=0.3, seed=0, epoch=2)
    assert thinned(texts, share=0.0, seed=0, epoch=1) == texts


def test_a_text_of_which_nothing_is_left_is_named() -> None:
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "who": 1}, unk_token="[UNK]"))
    inner.normalizer = tokenizers.normalizers.BertNormalizer()
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    bare = Tokenizer(inner.to_str().encode(), 8)
    assert Corpus.encode(bare, ["who", "it"], max_tokens=8, pad_id=0).ids == ((1,), (0,))
    with pytest.raises(DataError, match=r"makes no token of the text '\\u200b'; leave it out"):
        Corpus.encode(bare, ["who", "\u200b"], max_tokens=8, pad_id=0)


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=400)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_holds_every_row_once_in_full_batches(lengths: list[int], size: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(lengths, batch_rows=size, seed=seed, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert batches == epoch_batches(lengths, batch_rows=size, seed=seed, epoch=epoch)


@given(LENGTHS, st.integers(1, 9))
def test_batches_for_measuring_go_from_short_to_long(lengths: list[int], size: int) -> None:
    flat = [lengths[row] for batch in by_length(lengths, batch_rows=size) for row in batch]
    assert flat == sorted(lengths)


def test_bucketing_pads_less_than_plain_shuffling_would() -> None:
    lengths = [5 + (i * 37) % 60 for i in range(16 * POOL_BATCHES)]
    padded = sum(max(lengths[r] for r in b) * len(b) for b in epoch_batches(lengths, batch_rows=16, seed=0, epoch=0))
    assert padded < 1.1 * sum(lengths)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_rate_never_passes_its_peak_and_ends_near_zero(steps: int, warmup: float) -> None:
    rates = [linear(step, steps=steps, warmup=warmup) for step in range(steps)]
    assert all(0 <= rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert linear(steps, steps=steps, warmup=0.1) == 0 or steps == 1
