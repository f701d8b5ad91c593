"""An imported checkpoint computes what transformers computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from phalanx_grid import Batch, import_checkpoint
from phalanx_grid.relative import buckets
from tests.grid.builders import make_tokenizer

transformers = pytest.importorskip("transformers", reason="the reference: pip install -e .[dev]")
pytestmark = pytest.mark.filterwarnings("default")

TEXTS = [
    "hello world",
    "The quick brown fox jumps over the lazy dog, again and again; doesn't it?",
    "Ünïcode, 数字 123 and a verylongwordthatnovocabularyholds " + "with a tail of many words " * 12,
    "?",
]


@pytest.mark.weights
@pytest.mark.parametrize("encoder", ["minilm", "mpnet"])
def test_hidden_states_of_all_rows_equal_transformers_own(encoder: str, request: pytest.FixtureRequest) -> None:
    directory: Path = request.getfixturevalue(encoder)
    grid, tokenizer = import_checkpoint(directory)
    grid.eval()
    model = transformers.AutoModel.from_pretrained(directory, local_files_only=True).eval()
    reference = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
    encoded = reference(TEXTS, padding=True, return_tensors="pt", truncation=True, max_length=tokenizer.max_tokens)
    batch = Batch.pad([encoding.ids for encoding in tokenizer.encode(TEXTS)], grid.geometry.pad_id)
    assert torch.equal(batch.ids, encoded["input_ids"])
    with torch.no_grad():
        expected = model(**encoded, output_hidden_states=True).hidden_states
        together = grid(batch, collect_hidden=True)
        assert len(together.hidden) == len(expected) == grid.geometry.rows + 1
        for ours, theirs in zip(together.hidden, expected, strict=True):
            assert (ours[0] - theirs)[batch.mask].abs().max() < 1e-4
        for index, length in enumerate(batch.mask.sum(1).tolist()):
            alone = grid(Batch.pad([batch.ids[index, :length].tolist()], grid.geometry.pad_id), collect_hidden=True)
            for ours, theirs in zip(alone.hidden, expected, strict=True):
                assert (ours[0, 0] - theirs[index, :length]).abs().max() < 1e-4
            assert torch.allclose(alone.pooled[0, 0], together.pooled[0, index], atol=1e-4)


@pytest.mark.weights
@pytest.mark.parametrize(("encoder", "limit"), [("minilm", 256), ("mpnet", 384)])
def test_pooling_and_limit_come_from_sentence_transformers_files(
    encoder: str, limit: int, request: pytest.FixtureRequest
) -> None:
    grid, tokenizer = import_checkpoint(request.getfixturevalue(encoder))
    assert grid.geometry.pooling == "mean"
    assert tokenizer.max_tokens == limit
    assert grid.task == "embedding"


def _tiny(family: str) -> Any:
    common = {
        "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
        "vocab_size": 40, "max_position_embeddings": 30,
        "id2label": {0: "low", 1: "middle", 2: "high"}, "label2id": {"low": 0, "middle": 1, "high": 2},
        # large weights, so that a mistake shows
        "initializer_range": 0.5,
    }  # fmt: skip
    if family == "bert":
        return transformers.BertForSequenceClassification(transformers.BertConfig(**common))
    return transformers.MPNetForSequenceClassification(transformers.MPNetConfig(**common))


@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_a_sequence_classifier_keeps_its_head_and_labels(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = _tiny(family).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(make_tokenizer().source)
    grid, _ = import_checkpoint(tmp_path)
    assert grid.labels == ("low", "middle", "high")
    assert grid.geometry.pooling == "cls"
    sequences = [[2, 7, 9, 30, 3], [2, 5, 3], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]]
    batch = Batch.pad(sequences, grid.geometry.pad_id)
    with torch.no_grad():
        expected = model(batch.ids, attention_mask=batch.mask.long()).logits
        assert torch.allclose(grid.eval()(batch).prefix_logits[0], expected, atol=1e-5)


def test_a_pad_token_inside_of_an_mpnet_text_has_the_position_that_transformers_gives_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = _tiny("mpnet").eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(make_tokenizer().source)
    grid, _ = import_checkpoint(tmp_path)
    batch = Batch.pad([[2, 7, 1, 30, 3], [2, 5, 3]], grid.geometry.pad_id)
    with torch.no_grad():
        expected = model(batch.ids, attention_mask=batch.mask.long()).logits
        assert torch.allclose(grid.eval()(batch).prefix_logits[0], expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 9, 200])
@pytest.mark.parametrize("count", [4, 16, 32])
def test_relative_buckets_equal_transformers_own(length: int, count: int) -> None:
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    positions = torch.arange(length)
    expected = MPNetEncoder.relative_position_bucket(positions[None] - positions[:, None], num_buckets=count)
    assert torch.equal(buckets(length, count), expected)
