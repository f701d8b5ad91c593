"""Executors for CPUs answer as the reference does, whatever the batch, within the tolerance that they state."""

from __future__ import annotations

import gc
import threading
from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid import (
    AdapterTable,
    Batch,
    FinalStep,
    Geometry,
    Grid,
    RampStep,
    Tokenizer,
    cast,
    cut,
    import_checkpoint,
    stack,
)
from phalanx_grid.execution import EXECUTORS, Executor, Stacked, make_executor
from phalanx_grid.execution.choose import winner
from phalanx_grid.execution.registry import CPU_ONLY, CUDA_ONLY
from tests.grid.builders import batch_of, close, geometries, geometry, make_adapter, make_grid, texts

pytestmark = pytest.mark.usefixtures("one_thread")
EXACT = ("stacked", "packed", "threads")
SEEDS = st.integers(0, 2**16)


def run(
    executor: Executor,
    batch: Batch,
    k: int,
    *,
    adapters: AdapterTable | None = None,
    ramp_rows: Collection[int] | None = None,
) -> tuple[list[RampStep], FinalStep]:
    *ramps, final = executor.steps(batch, students=k, adapters=adapters, ramp_rows=ramp_rows)
    assert isinstance(final, FinalStep)
    return [step for step in ramps if isinstance(step, RampStep)], final


def within(executor: Executor, answer: torch.Tensor, alone: torch.Tensor) -> bool:
    """As `Executor.tolerance` counts; for answers [N, C], text by text."""
    bound = executor.tolerance * alone.abs().amax(-1, keepdim=True)
    return answer.shape == alone.shape and bool(((answer - alone).abs() <= bound + 1e-6).all())


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_batched_answer_is_that_of_each_text_alone_for_every_number_of_students(
    name: str, data: st.DataObject
) -> None:
    grid = make_grid(data.draw(geometries()), seed=data.draw(SEEDS))
    sequences, ramp_rows = data.draw(texts()), data.draw(st.sampled_from([None, (), {0}, {1}]))
    executor = make_executor(grid, device="cpu", name=name, threads=data.draw(st.integers(1, 3)))
    for k in range(1, grid.geometry.students + 1):
        ramps, final = run(executor, batch_of(grid, sequences), k, ramp_rows=ramp_rows)
        for index, sequence in enumerate(sequences):
            ramps_alone, alone = run(Stacked(grid), batch_of(grid, [sequence]), k, ramp_rows=ramp_rows)
            assert [step.row for step in ramps] == [step.row for step in ramps_alone]
            for step, expected in zip(ramps, ramps_alone, strict=True):
                assert close(step.logits[index], expected.logits[0], executor.tolerance)
            assert close(final.logits[index], alone.logits[0], executor.tolerance)
            assert close(final.pooled[index], alone.pooled[0], executor.tolerance)


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=20, deadline=None)
@given(geometries(), texts(), st.integers(1, 6), SEEDS)
def test_padding_to_the_length_of_a_bucket_changes_nothing(
    name: str, shape: Geometry, sequences: list[list[int]], extra: int, seed: int
) -> None:
    grid = make_grid(shape, seed=seed)
    executor = make_executor(grid, device="cpu", name=name, threads=2)
    batch = batch_of(grid, sequences)
    pad = torch.full((batch.size, extra), grid.geometry.pad_id)
    longer = Batch(torch.cat([batch.ids, pad], 1), torch.cat([batch.mask, torch.zeros_like(pad).bool()], 1))
    exact, padded = run(executor, batch, 1)[1], run(executor, longer, 1)[1]
    assert close(torch.stack(exact.logits), torch.stack(padded.logits), executor.tolerance)


@pytest.mark.parametrize("name", [*EXACT, "int8"])
@settings(max_examples=10, deadline=None)
@given(geometries(classes=3), texts(), st.data())
def test_batches_with_adapters_answer_as_the_reference(
    name: str, shape: Geometry, sequences: list[list[int]], data: st.DataObject
) -> None:
    grid, table = make_grid(shape), AdapterTable(shape, slots=2, rank_max=2)
    for number in range(2):
        table.put(f"sha256:{number}", make_adapter(shape, seed=number, classes=2 + number))
    slots = data.draw(st.lists(st.integers(0, 2), min_size=len(sequences), max_size=len(sequences)))
    slots[0] = 1
    batch, k = batch_of(grid, sequences, slots), shape.students
    _, ours = run(make_executor(grid, device="cpu", name=name, threads=2), batch, k, adapters=table)
    _, expected = run(Stacked(grid), batch, k, adapters=table)
    assert all(close(a, b, 1e-4) for a, b in zip(ours.logits, expected.logits, strict=True))


@pytest.mark.parametrize("name", [*EXACT, "int8"])
def test_a_number_of_students_that_the_grid_does_not_have_is_refused(name: str) -> None:
    grid = make_grid()
    with pytest.raises(ValueError, match=r"asked of a grid that has 1\.\.3"):
        run(make_executor(grid, device="cpu", name=name), batch_of(grid, [[5]]), 4)


@pytest.mark.parametrize("name", [*EXACT, "int8"])
def test_an_embedding_grid_gives_vectors_and_no_logits(name: str) -> None:
    grid = make_grid(geometry(classes=0))
    _, final = run(make_executor(grid, device="cpu", name=name), batch_of(grid, [[5], [6, 7]]), 2)
    assert [tuple(logits.shape) for logits in final.logits] == [(0,), (0,)]
    assert final.pooled.shape == (2, 16)


@pytest.fixture(scope="module")
def encoder(minilm: Path) -> tuple[Grid, Tokenizer]:
    """MiniLM's rows as three students of two rows, under heads whose answers differ from text to text."""
    whole, tokenizer = import_checkpoint(minilm)
    grid = stack([cut(whole, rows=[row, row + 1]) for row in (0, 2, 4)], weights=[1.0, 0.7, 0.5])
    classified = Grid(grid.geometry.replace(classes=5), tuple("abcde"))
    head = torch.randn(3, 5, 384, generator=torch.Generator().manual_seed(0))
    heads = {"readout.head.weight": head, "readout.head.bias": torch.zeros(3, 5)}
    classified.load_state_dict(grid.state_dict() | heads)
    return classified.eval(), tokenizer


TEXTS = (
    "what is the capital of france",
    "?",
    "a moving, funny and at times frightening film that never once talks down to its audience",
    "it is what it is",
    "who wrote the first book about the stars that you can see from the south, and when was it printed " * 3,
)


@pytest.mark.weights
@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name in EXACT for dtype in ("float32", "bfloat16")])
def test_a_real_encoder_answers_within_the_stated_tolerance(
    name: str, dtype: str, encoder: tuple[Grid, Tokenizer]
) -> None:
    _check_real(name, getattr(torch, dtype), *encoder)


@pytest.mark.weights
def test_a_real_encoder_of_eight_bits_answers_within_the_stated_tolerance(encoder: tuple[Grid, Tokenizer]) -> None:
    _check_real("int8", torch.float32, *encoder)


def _check_real(name: str, dtype: torch.dtype, grid: Grid, tokenizer: Tokenizer) -> None:
    copy = Grid(grid.geometry, grid.labels).eval()
    copy.load_state_dict(grid.state_dict())
    executor = make_executor(cast(copy, dtype), device="cpu", name=name, threads=2)
    sequences = [encoding.ids for encoding in tokenizer.encode(TEXTS)]
    for k in range(1, 4):
        steps = [run(Stacked(grid), Batch.pad([ids], 0), k)[1] for ids in sequences]
        ours = run(executor, Batch.pad(sequences, 0), k)[1]
        assert within(executor, torch.stack(ours.logits), torch.stack([step.logits[0] for step in steps]))
        assert within(executor, ours.pooled, torch.stack([step.pooled[0] for step in steps]))


def test_an_unknown_executor_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="PHALANX_WORKER_EXECUTION: no executor 'fast'; there are auto, stacked"):
        make_executor(make_grid(), device="cpu", name="fast")


@pytest.mark.parametrize("name", ["packed", "threads", "int8"])
def test_an_executor_for_cpus_says_so_on_another_device(name: str) -> None:
    with pytest.raises(ValueError, match=f"PHALANX_WORKER_EXECUTION: {name} is for CPUs, and grids run on meta here"):
        make_executor(make_grid(), device="meta", name=name)


def test_every_executor_but_the_reference_belongs_to_one_type_of_device() -> None:
    assert not CPU_ONLY & CUDA_ONLY
    assert {"stacked"} | CPU_ONLY | CUDA_ONLY == set(EXECUTORS)


@pytest.mark.parametrize("name", ["packed", "threads"])
@pytest.mark.parametrize("missing", ["oneDNN", "kernels of the format"])
def test_a_cpu_without_prepared_layouts_works_on_the_weights_themselves(
    name: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(weight: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("bf16 path needs the cpu support avx512bw, avx512vl and avx512dq")

    if missing == "oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse)
    grid = make_grid()
    batch = batch_of(grid, [[5, 6, 7], [8]])
    executor = make_executor(grid, device="cpu", name=name, threads=2)
    expected = torch.stack(run(Stacked(grid), batch, 3)[1].logits)
    assert close(torch.stack(run(executor, batch, 3)[1].logits), expected, executor.tolerance)


def test_eight_bits_are_refused_where_torch_has_no_kernels_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(torch.backends.quantized), "engine", "none")
    with pytest.raises(ValueError, match="PHALANX_WORKER_EXECUTION: int8 cannot be used here: torch has no kernels"):
        make_executor(make_grid(), device="cpu", name="int8")


@pytest.mark.parametrize("name", [*EXACT, "int8"])
def test_a_format_that_nothing_is_computed_in_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=r"the grid is in torch\.float16: cast it to float32 or bfloat16"):
        make_executor(make_grid().half(), device="cpu", name=name)


def test_a_dropped_executor_takes_its_threads_along() -> None:
    def students() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("students")}

    gc.collect()
    before, grid = students(), make_grid()
    executor = make_executor(grid, device="cpu", name="threads", threads=3)
    run(executor, batch_of(grid, [[5, 6], [7]]), 3)
    own = students() - before
    assert len(own) == 2
    del executor
    for thread in own:
        thread.join(10)
    assert not any(thread.is_alive() for thread in own)


def test_an_executor_goes_by_the_name_that_asked_for_it() -> None:
    grid = make_grid()
    assert [make_executor(grid, device="cpu", name=name).name for name in (*EXACT, "int8")] == [*EXACT, "int8"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_auto_stands_for_an_executor_that_there_is(device: str) -> None:
    assert winner(device) in EXECUTORS


def test_auto_on_a_cpu_runs_what_the_rule_says() -> None:
    assert make_executor(make_grid(), device="cpu").name == winner("cpu")
