"""What cannot be imported, and how it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import tokenizers
import torch

from phalanx_grid import Batch, CheckpointError, import_checkpoint
from tests.grid.builders import checkpoint_tensors, make_checkpoint


def test_a_minimal_checkpoint_is_imported(tmp_path: Path) -> None:
    grid, tokenizer = import_checkpoint(make_checkpoint(tmp_path), classes=2, labels=("no", "yes"), pooling="cls")
    assert (grid.labels, grid.geometry.pooling, tokenizer.max_tokens) == (("no", "yes"), "cls", 8)
    assert grid(Batch.pad([[2, 5, 3]], 0)).prefix_logits.shape == (1, 1, 2)


def test_the_same_seed_gives_the_same_fresh_head(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    heads = [import_checkpoint(tmp_path, classes=2, seed=seed)[0].readout.head.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not supported; use one of bert, mpnet"),
        ({"model_type": "roberta"}, "no conversion makes one of another, so fine-tune an encoder of these families"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map asks for code"),
        ({"hidden_act": "relu"}, "hidden_act 'relu' is not supported"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key' is not supported"),
        ({"is_decoder": True}, "is_decoder is set"),
        ({"num_hidden_layers": 0}, r"num_hidden_layers 0 is outside of 1\.\.48"),
        ({"num_attention_heads": 3}, "hidden 4 is not a multiple of heads 3"),
        ({"hidden_size": "big"}, r"hidden_size"),
        ({"vocab_size": 10**9}, "vocab"),
    ],
)
def test_a_config_beyond_what_a_grid_expresses_is_refused(
    config: dict[str, object], message: str, tmp_path: Path
) -> None:
    make_checkpoint(tmp_path, **config)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        import_checkpoint(tmp_path)


@pytest.mark.parametrize("name", sorted(checkpoint_tensors()))
def test_a_missing_tensor_is_named(name: str, tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    tensors = checkpoint_tensors()
    del tensors[name]
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"the tensor .* is missing") as caught:
        import_checkpoint(tmp_path)
    assert name in str(caught.value)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, intermediate_size=5)
    with pytest.raises(CheckpointError, match=r"intermediate\.dense\.weight has shape \[6, 4\], config\.json says"):
        import_checkpoint(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_tensor_with_what_is_no_number_is_named(value: float, tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    tensors = checkpoint_tensors()
    tensors["encoder.layer.0.output.dense.weight"][0, 0] = value
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"tensor encoder\.layer\.0\.output\.dense\.weight holds NaN or infinity"):
        import_checkpoint(tmp_path)


def test_a_tokenizer_that_says_more_than_is_embedded_is_refused(tmp_path: Path) -> None:
    """The artifact of such a checkpoint could be made, and no worker would load it."""
    file = make_checkpoint(tmp_path) / "tokenizer.json"
    grown = tokenizers.Tokenizer.from_file(str(file))
    grown.add_tokens(["w10"])
    grown.save(str(file))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: gives ids up to 14, but config\.json embeds 14: take"):
        import_checkpoint(tmp_path)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: pickled weights are never read"):
        import_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(file: str, tmp_path: Path) -> None:
    (make_checkpoint(tmp_path) / file).unlink()
    with pytest.raises(CheckpointError, match=rf"{file}: missing"):
        import_checkpoint(tmp_path)


def test_a_truncated_weights_file_is_named(tmp_path: Path) -> None:
    file = make_checkpoint(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not readable as safetensors"):
        import_checkpoint(tmp_path)


def test_sharded_weights_are_read(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    tensors = checkpoint_tensors()
    names = sorted(tensors)
    shards = {"a.safetensors": names[:5], "b.safetensors": names[5:]}
    for file, members in shards.items():
        safetensors.torch.save_file({name: tensors[name] for name in members}, tmp_path / file)
    index = {"weight_map": {name: file for file, members in shards.items() for name in members}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    grid, _ = import_checkpoint(tmp_path)
    assert torch.equal(grid.embeddings.word, tensors["embeddings.word_embeddings.weight"])


@pytest.mark.parametrize("name", ["../a.safetensors", "/etc/passwd", "weights.bin"])
def test_a_shard_index_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(CheckpointError, match=r"index\.json: names .*, which is no safetensors file beside it"):
        import_checkpoint(tmp_path)


def test_a_pooling_that_no_grid_has_is_refused_unless_one_is_passed(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(CheckpointError, match="pools otherwise than by cls or mean; pass pooling"):
        import_checkpoint(tmp_path)
    assert import_checkpoint(tmp_path, pooling="mean")[0].geometry.pooling == "mean"


@pytest.mark.filterwarnings("default")
def test_a_checkpoint_that_was_refused_is_read_once_converted_as_the_messages_say(tmp_path: Path) -> None:
    """An old layout: pickled weights and a vocabulary without tokenizer.json."""
    transformers = pytest.importorskip("transformers", reason="the reference: pip install -e .[dev]")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=6, vocab_size=len(words)
    )
    model = transformers.BertForSequenceClassification(config)
    config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"tokenizer\.json: .*AutoTokenizer\.from_pretrained\(DIR\)\.save_pretrained"
    ):
        import_checkpoint(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"AutoModelForSequenceClassification\.from_pretrained\(DIR\)\.save_pretrained"
    ):
        import_checkpoint(tmp_path)
    transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).save_pretrained(tmp_path)
    grid, tokenizer = import_checkpoint(tmp_path)
    assert torch.equal(grid.readout.head.weight[0], model.classifier.weight)
    assert tokenizer.encode(["good bad"])[0].ids == [2, 5, 6, 3]
