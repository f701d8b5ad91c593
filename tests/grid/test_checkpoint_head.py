"""A checkpoint's head answers the labels by the names that config.json gives its outputs, or is not taken over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid import Batch, CheckpointHead, import_checkpoint, read_head
from tests.grid.builders import make_checkpoint, make_tokenizer

NAMES = ("bad", "fine", "good", "odd")
SEQUENCES = [[2, 7, 9, 30, 3], [2, 5, 3], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]]


@pytest.fixture(scope="module", params=["bert", "mpnet"])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of four classes as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="the reference: pip install -e .[dev]")
    shape = {
        "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 20, "vocab_size": 40,
        "max_position_embeddings": 30, "num_labels": len(NAMES), "initializer_range": 0.5,
    }  # fmt: skip
    kinds = {
        "bert": (transformers.BertForSequenceClassification, transformers.BertConfig),
        "mpnet": (transformers.MPNetForSequenceClassification, transformers.MPNetConfig),
    }
    model, config = kinds[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    made = model(config(**shape))
    torch.nn.init.normal_(
        made.get_parameter({"bert": "classifier", "mpnet": "classifier.out_proj"}[request.param] + ".bias")
    )
    made.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(make_tokenizer().source)
    return folder


def renamed(folder: Path, names: list[str] | None) -> Path:
    """The checkpoint with these names for its outputs, in their order."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    for key in ("id2label", "label2id"):
        config.pop(key, None)
    if names is not None:
        config["id2label"] = {str(output): name for output, name in enumerate(names)}
        config["label2id"] = {name: output for output, name in enumerate(names)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.filterwarnings("default")
@given(outputs=st.permutations(NAMES), rows=st.permutations(NAMES))
@settings(max_examples=12, deadline=None)
def test_the_logit_of_each_label_is_transformers_own(classifier: Path, outputs: list[str], rows: list[str]) -> None:
    transformers = pytest.importorskip("transformers", reason="the reference: pip install -e .[dev]")
    renamed(classifier, outputs)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(classifier, local_files_only=True).eval()
    grid, _ = import_checkpoint(classifier, classes=len(rows), labels=rows)
    assert grid.labels == tuple(rows)
    batch = Batch.pad(SEQUENCES, grid.geometry.pad_id)
    with torch.no_grad():
        theirs = model(batch.ids, attention_mask=batch.mask.long()).logits
        ours = grid.eval()(batch).prefix_logits[0]
    for output, name in model.config.id2label.items():
        assert torch.allclose(ours[:, grid.labels.index(name)], theirs[:, output], atol=1e-5), name


@pytest.mark.parametrize(
    "names", [None, ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"], ["bad", "fine", "good", "worse"]]
)
def test_a_head_whose_outputs_have_other_names_is_left_out(classifier: Path, names: list[str] | None) -> None:
    grid, _ = import_checkpoint(renamed(classifier, names), classes=len(NAMES), labels=NAMES, seed=5)
    assert (grid.labels, grid.geometry.pooler, grid.geometry.pooling) == (NAMES, False, "mean")
    again, _ = import_checkpoint(classifier, classes=len(NAMES), labels=NAMES, seed=6)
    assert not torch.equal(grid.readout.head.weight, again.readout.head.weight), "a fresh head comes from the seed"


def test_a_head_that_no_labels_are_asked_of_is_taken_as_it_is(classifier: Path) -> None:
    grid, _ = import_checkpoint(renamed(classifier, ["odd", "bad", "good", "fine"]))
    assert grid.labels == ("odd", "bad", "good", "fine")
    named, _ = import_checkpoint(classifier, labels=("bad", "odd", "fine", "good"))
    order = [1, 0, 3, 2]
    assert torch.equal(named.readout.head.weight[0], grid.readout.head.weight[0, order])
    assert torch.equal(named.readout.head.bias[0], grid.readout.head.bias[0, order])


@pytest.mark.parametrize(
    ("outputs", "labels", "order"),
    [
        (("yes", "no"), ("no", "yes"), (1, 0)),
        (("YES ", " No"), ("no", "yes"), (1, 0)),
        (("not  sure", "sure"), ("Not sure", "Sure"), (0, 1)),
        (("Yes", "yes"), ("Yes", "yes"), (0, 1)),
        (("Yes", "yes"), ("yes", "YES"), None),
        (("LABEL_0", "LABEL_1"), ("no", "yes"), None),
        (("LABEL_1", "LABEL_0"), ("LABEL_0", "LABEL_1"), (1, 0)),
        ((), ("no", "yes"), None),
        (("yes", "no", "perhaps"), ("no", "yes"), None),
        (("yes", "no"), (), (0, 1)),
    ],
)
def test_names_are_compared_as_they_are_and_then_without_case_and_white_space(
    outputs: tuple[str, ...], labels: tuple[str, ...], order: tuple[int, ...] | None
) -> None:
    assert CheckpointHead(classes=len(outputs) or 2, labels=outputs).order(labels) == order


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=8, unique=True).flatmap(
    lambda names: st.tuples(st.just(names), st.permutations(names))
))  # fmt: skip
def test_an_order_maps_every_label_to_the_output_of_its_name(names: tuple[list[str], list[str]]) -> None:
    outputs, labels = names
    order = CheckpointHead(classes=len(outputs), labels=tuple(outputs)).order(labels)
    assert order is not None
    assert [outputs[output] for output in order] == labels


@pytest.mark.parametrize(
    ("id2label", "labels"),
    [
        ({"1": "b", "0": "a", "2": "c", "3": "d"}, ("a", "b", "c", "d")),
        ({"0": 7, "1": 5, "2": 3, "3": 1}, ("7", "5", "3", "1")),
        ({"1": "a", "2": "b", "3": "c", "4": "d"}, ()),
        ({"a": "a", "b": "b", "c": "c", "d": "d"}, ()),
        ({"0": "a", "1": "a", "2": "c", "3": "d"}, ()),
        ({"0": "", "1": "b", "2": "c", "3": "d"}, ()),
        ({"0": "a", "1": "b"}, ()),
    ],
)
def test_only_names_that_tell_all_outputs_apart_count(
    classifier: Path, id2label: dict[str, object], labels: tuple[str, ...]
) -> None:
    config = json.loads((renamed(classifier, None) / "config.json").read_text())
    (classifier / "config.json").write_text(json.dumps({**config, "id2label": id2label}))
    assert read_head(classifier) == CheckpointHead(classes=4, labels=labels)
    assert import_checkpoint(classifier)[0].labels == (labels or ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"))


def test_a_plain_encoder_brings_no_head(tmp_path: Path) -> None:
    assert read_head(make_checkpoint(tmp_path, id2label={"0": "no", "1": "yes"})) is None
