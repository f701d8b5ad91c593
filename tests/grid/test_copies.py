"""Copies to a device do not queue up behind what computes there, and are through before anybody sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch

from phalanx_grid import Grid, artifact, copies, load_artifact, save_artifact
from phalanx_grid.mixed import SlotTensors
from tests.grid.builders import make_adapter, make_grid, make_tokenizer

done: list[str] = []
made: list[int] = []


class Stream:
    def __init__(self, device: torch.device, priority: int = 0) -> None:
        made.append(priority)

    def wait_stream(self, other: object) -> None:
        done.append(f"wait for {other}")

    def synchronize(self) -> None:
        done.append("synchronize")


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        done.append("enter")
        yield
        done.append("leave")

    done.clear()
    made.clear()
    monkeypatch.setattr(copies, "_of_thread", threading.local())
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "what computes")


@pytest.mark.usefixtures("streams")
def test_copies_run_on_a_stream_of_the_thread_and_are_waited_for() -> None:
    for _ in range(2):
        with copies.beside("cuda:0"):
            done.append("copy")
    assert done == ["wait for what computes", "enter", "copy", "leave", "synchronize"] * 2
    other = threading.Thread(target=lambda: copies.beside("cuda:0").__enter__())
    other.start()
    other.join(60)
    assert made == [-2, -2]  # neither of those that capture, nor of those that bring answers home


@pytest.mark.usefixtures("streams")
def test_copies_are_waited_for_where_one_fails_too() -> None:
    with pytest.raises(ValueError, match="no"), copies.beside("cuda:0"):
        raise ValueError("no")
    assert done[-1] == "synchronize"


@pytest.mark.usefixtures("streams")
def test_on_a_cpu_there_is_no_stream() -> None:
    with copies.beside("cpu"):
        pass
    assert not done


def test_a_grid_is_cast_before_it_travels_and_keeps_every_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, travelled = make_grid(), list[torch.dtype]()
    save_artifact(tmp_path / "a", grid, make_tokenizer(), provenance={})

    def to_device(moved: Grid, device: torch.device | str) -> None:
        travelled.append(moved.embeddings.word.dtype)
        copies.to_device(moved, device)

    monkeypatch.setattr(artifact, "to_device", to_device)
    loaded = load_artifact(tmp_path / "a", device="meta", dtype=torch.bfloat16).grid
    assert travelled == [torch.bfloat16]
    assert {tensor.device.type for tensor in loaded.state_dict().values()} == {"meta"}
    assert {name: tensor.shape for name, tensor in loaded.state_dict().items()} == {
        name: tensor.shape for name, tensor in grid.state_dict().items()
    }


def test_moved_weights_are_those_that_were_there(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make_grid()
    before = {name: tensor.clone() for name, tensor in grid.state_dict().items()}
    emptied, to_empty = [], grid.to_empty

    def on_a_cpu(*, device: torch.device) -> Grid:
        emptied.append(device.type)
        return to_empty(device="cpu")

    monkeypatch.setattr(grid, "to_empty", on_a_cpu)
    monkeypatch.setattr(copies, "beside", lambda device: nullcontext())
    copies.to_device(grid, "cuda")
    assert emptied == ["cuda"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in grid.state_dict().items())


def test_a_slot_is_written_beside_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, entered = make_grid(), list[str]()

    @contextmanager
    def beside(device: torch.device) -> Iterator[None]:
        assert tensors.heads[1] is None
        entered.append("in")
        yield
        assert tensors.heads[1] is None  # nobody sees it before the copies are through
        entered.append("out")

    monkeypatch.setattr("phalanx_grid.mixed.beside", beside)
    tensors = SlotTensors(grid.geometry, slots=2, rank_max=2, device="cpu", dtype=torch.float32)
    weights = make_adapter(grid.geometry, seed=1)
    tensors.write(1, weights)
    assert entered == ["in", "out"]
    head = tensors.heads[1]
    assert head is not None
    assert torch.equal(head.weight, weights.head_weight)
    assert torch.equal(head.bias, weights.head_bias)
