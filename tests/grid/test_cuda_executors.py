"""Executors for CUDA with stand-ins for its graphs and streams: the same answers as each text alone, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters

from phalanx_grid import AdapterTable, Batch, FinalStep, Geometry, Grid, RampStep
from phalanx_grid.execution import Executor, Stacked, make_executor
from phalanx_grid.execution.cuda.capture import Part, Recording, Rerun
from phalanx_grid.execution.cuda.compiled import compiled, meet_variants
from phalanx_grid.execution.cuda.graphs import Bounds, Graphs
from phalanx_grid.execution.cuda.grouped import Grouped
from phalanx_grid.execution.cuda.streams import Streams
from phalanx_grid.execution.cuda.varlen import Varlen, need_head_size, one_by_one, worth_packing
from tests.grid.builders import MPNET, batch_of, close, geometries, geometry, make_adapter, make_grid, texts

EAGER_TO_CAPTURE = Bounds(asks=1)


def graphs(grid: Grid) -> Executor:
    return Graphs(grid, Rerun(), otherwise=Stacked(grid), bounds=EAGER_TO_CAPTURE)


def varlen(grid: Grid) -> Executor:
    return Varlen(grid, one_by_one)


MAKERS: dict[str, Callable[[Grid], Executor]] = {
    "graphs": graphs, "streams": Streams, "grouped": Grouped, "varlen": varlen,
}  # fmt: skip
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def fitting(make: Callable[[Grid], Executor], shape: Geometry) -> Geometry:
    """The nearest geometry that an executor takes."""
    if make is varlen and shape.family == "mpnet":
        return shape.replace(family="bert", relative_buckets=0, position_offset=0)
    if make is Grouped:
        return shape.replace(hidden=4 * shape.heads, ffn=4 * shape.ffn)
    return shape


def run(
    executor: Executor, batch: Batch, k: int, ramp_rows: Collection[int] | None = None
) -> tuple[list[RampStep], FinalStep]:
    *ramps, final = executor.steps(batch, students=k, ramp_rows=ramp_rows)
    assert isinstance(final, FinalStep)
    return [step for step in ramps if isinstance(step, RampStep)], final


@every
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_answers_are_those_of_each_text_alone(make: Callable[[Grid], Executor], data: st.DataObject) -> None:
    shape = fitting(make, data.draw(geometries()))
    grid, sequences = make_grid(shape), data.draw(texts())
    k = data.draw(st.integers(1, shape.students))
    rows = data.draw(st.none() | st.sets(st.integers(0, max(shape.rows - 2, 0))))
    ramps, final = run(make(grid), batch_of(grid, sequences), k, rows)
    for index, sequence in enumerate(sequences):
        own_ramps, own = run(Stacked(grid), batch_of(grid, [sequence]), k, rows)
        assert close(final.logits[index], own.logits[0], 1e-4)
        assert close(final.pooled[index], own.pooled[0], 1e-4)
        assert [ramp.row for ramp in ramps] == [ramp.row for ramp in own_ramps]
        assert all(close(a.logits[index], b.logits[0], 1e-4) for a, b in zip(ramps, own_ramps, strict=True))
    assert final.together is not None
    assert torch.equal(final.together, torch.stack(final.logits))


@every
def test_tenants_get_their_own_answers(make: Callable[[Grid], Executor]) -> None:
    grid = make_grid()
    table = AdapterTable.for_grid(grid, slots=2, rank_max=2)
    slot = table.put("sha256:a", make_adapter(grid.geometry, seed=1))
    batch = batch_of(grid, [[2, 3, 4], [5, 6, 7, 8, 9]], [slot, 0])
    *_, mine = make(grid).steps(batch, students=2, adapters=table)
    *_, reference = grid.steps(batch, students=2, adapters=table)
    assert isinstance(mine, FinalStep)
    assert isinstance(reference, FinalStep)
    assert all(close(a, b) for a, b in zip(mine.logits, reference.logits, strict=True))
    assert mine.together is None


def mixed_stream(grid: Grid, count: int) -> list[tuple[Batch, int]]:
    generator = torch.Generator().manual_seed(5)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def text() -> list[int]:
        return torch.randint(2, grid.geometry.vocab, (draw(1, 20),), generator=generator).tolist()

    students = grid.geometry.students
    return [(batch_of(grid, [text() for _ in range(draw(1, 9))]), draw(1, students)) for _ in range(count)]


@pytest.mark.parametrize("shape", [geometry(), geometry(**MPNET), geometry(pooling="cls", pooler=True)])
def test_a_stream_of_mixed_shapes_reuses_memory_and_changes_no_answer(shape: Geometry) -> None:
    grid = make_grid(shape)
    executor = Graphs(grid, Rerun(), otherwise=Stacked(grid), bounds=Bounds(passes=5, asks=2))
    kept = [(run(executor, batch, k), batch, k) for batch, k in mixed_stream(grid, 60)]
    assert executor.captured == 5
    for (ramps, final), batch, k in kept:  # answers of earlier passes are still their own
        own_ramps, own = run(Stacked(grid), batch, k)
        assert all(close(a, b, 1e-4) for a, b in zip(final.logits, own.logits, strict=True))
        assert all(close(a.logits, b.logits, 1e-4) for a, b in zip(ramps, own_ramps, strict=True))


def test_warm_up_captures_until_the_bounds_and_serves_from_then_on() -> None:
    grid = make_grid()
    recorder = Counting()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=Bounds(passes=4))
    executor.prepare()
    assert executor.captured == recorder.count == 4
    for _ in range(9):
        run(executor, batch_of(grid, [[2, 3]]), grid.geometry.students)
    assert recorder.count == 4


def test_graphs_that_answer_differently_are_given_up(caplog: pytest.LogCaptureFixture) -> None:
    grid = make_grid()
    executor = Graphs(grid, Forgetful(), otherwise=Stacked(grid))
    executor.prepare()
    assert executor.captured == 0
    assert "nothing runs by graph" in caplog.text
    batch = batch_of(grid, [[2, 3]])
    assert close(run(executor, batch, 2)[1].logits[0], run(Stacked(grid), batch, 2)[1].logits[0])


def test_warm_up_is_bounded_in_time() -> None:
    grid = make_grid()
    executor = Graphs(grid, Rerun(), otherwise=Stacked(grid), bounds=Bounds(warm_up_s=-1.0))
    executor.prepare()
    assert executor.captured == 0


def test_a_shape_that_comes_once_is_not_captured() -> None:
    grid, recorder = make_grid(), Counting()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=Bounds(asks=2))
    run(executor, batch_of(grid, [[2, 3]]), 1)
    assert recorder.count == 0
    run(executor, batch_of(grid, [[2, 3, 4]]), 1)  # the same bucket
    assert recorder.count == 1
    run(executor, batch_of(grid, [[2]]), 1)
    assert recorder.count == 1


def test_after_a_failed_capture_all_goes_on_without_new_graphs(caplog: pytest.LogCaptureFixture) -> None:
    grid, recorder = make_grid(), Failing()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=EAGER_TO_CAPTURE)
    batch = batch_of(grid, [[2, 3]])
    for _ in range(3):
        _, final = run(executor, batch, 2)
        assert close(final.logits[0], run(Stacked(grid), batch, 2)[1].logits[0])
    assert recorder.count == 1
    assert "capturing" in caplog.text


def test_passes_that_overlap_are_refused_instead_of_mixed_up() -> None:
    grid = make_grid()
    executor = graphs(grid)
    first = executor.steps(batch_of(grid, [[2, 3]]), students=2)
    next(first)
    next(iter(executor.steps(batch_of(grid, [[4, 5]]), students=2)))
    with pytest.raises(RuntimeError, match="another pass was begun"):
        next(first)


def test_dropped_graphs_are_waited_for() -> None:
    grid, recorder = make_grid(), Counting()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=Bounds(passes=1, asks=1))
    run(executor, batch_of(grid, [[2, 3]]), 1)
    assert recorder.settled == 0
    run(executor, batch_of(grid, [[2, 3]]), 2)
    assert recorder.settled == 1


def test_packing_is_for_batches_with_padding() -> None:
    grid = make_grid()
    assert worth_packing(batch_of(grid, [[2] * 20, [3]]))
    assert not worth_packing(batch_of(grid, [[2] * 20, [3] * 19]))
    assert not worth_packing(batch_of(grid, [[2] * 20] * 2))


def test_flash_attention_is_refused_to_relative_positions() -> None:
    with pytest.raises(ValueError, match="relative positions"):
        varlen(make_grid(geometry(**MPNET)))


def test_grouped_products_are_refused_to_rows_that_are_not_aligned() -> None:
    with pytest.raises(ValueError, match="ffn to be a multiple of 4, it is 25"):
        Grouped(make_grid(geometry(ffn=25)))


@pytest.mark.parametrize("name", ["graphs", "streams", "grouped", "varlen", "compiled"])
def test_a_cpu_refuses_what_is_for_cuda(name: str) -> None:
    with pytest.raises(ValueError, match=f"PHALANX_WORKER_EXECUTION: {name} is for CUDA devices"):
        make_executor(make_grid(), device="cpu", name=name)


def test_on_cuda_attention_is_not_left_to_cudnn() -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        make_executor(make_grid(), device="cpu")
        assert torch.backends.cuda.cudnn_sdp_enabled()
        make_executor(make_grid(), device="cuda", name="stacked")
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def test_compiled_rows_answer_as_the_rows_they_were_made_from() -> None:
    grid = make_grid()
    fused = compiled(grid, backend="eager")
    executor = Graphs(fused, Rerun(), otherwise=Stacked(fused), bounds=EAGER_TO_CAPTURE)
    for batch, k in mixed_stream(grid, 6):
        _, final = run(executor, batch, k)
        _, own = run(Stacked(grid), batch, k)
        assert all(close(a, b, 1e-4) for a, b in zip(final.logits, own.logits, strict=True))


def test_every_program_of_every_model_is_compiled_before_the_first_request() -> None:
    torch.compiler.reset()
    for shape in (geometry(pooling="cls", pooler=True), geometry(hidden=32, students=4)):
        counter, frames, grid = CompileCounter(), counters["frames"], make_grid(shape)
        fused = Stacked(compiled(grid, backend=counter))
        frames.clear()
        meet_variants(fused, shape, limit_s=600.0)
        made = counter.frame_count
        for texts_, length, k in product((1, 2, 5), (3, 9, 20), range(1, shape.students + 1)):
            for shorter in (0, 1):
                mask = (torch.arange(length) < length - shorter).repeat(texts_, 1)
                batch = Batch(torch.full((texts_, length), 2), mask, full=not shorter)
                assert close(run(fused, batch, k)[1].pooled, run(Stacked(grid), batch, k)[1].pooled, 1e-4)
        assert counter.frame_count == made > 8  # torch's own limit, beyond which it goes on without compiling
        assert frames["ok"] == frames["total"] == made
    torch.compiler.reset()


def test_no_variant_is_begun_when_the_time_is_over() -> None:
    grid = make_grid()
    counter = CompileCounter()
    meet_variants(Stacked(compiled(grid, backend=counter)), grid.geometry, limit_s=-1.0)
    assert counter.frame_count == 0


def test_while_another_model_is_captured_a_batch_runs_without_a_graph_and_a_later_one_with() -> None:
    grid, recorder = make_grid(), Occupied()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=EAGER_TO_CAPTURE)
    batch = batch_of(grid, [[2, 3]])
    wanted = run(Stacked(grid), batch, 2)[1].logits[0]
    assert close(run(executor, batch, 2)[1].logits[0], wanted)
    assert executor.captured == 0
    recorder.busy = False
    assert close(run(executor, batch, 2)[1].logits[0], wanted)
    assert executor.captured == 1


def test_warm_up_waits_for_its_turn_to_capture() -> None:
    grid, recorder = make_grid(), Occupied()
    executor = Graphs(grid, recorder, otherwise=Stacked(grid), bounds=Bounds(passes=2))
    executor.prepare()
    assert executor.captured == 2


def test_the_packed_way_has_been_gone_before_the_first_request() -> None:
    attended: list[int] = []

    def attend(q: torch.Tensor, *rest: Any) -> torch.Tensor:
        attended.append(len(q))
        return one_by_one(q, *rest)

    grid = make_grid()
    Varlen(grid, attend).prepare()
    assert attended == [grid.geometry.students * 9] * grid.geometry.rows


@pytest.mark.parametrize(("hidden", "heads", "fits"), [(64, 4, True), (512, 2, True), (20, 2, False), (528, 2, False)])
def test_flash_attention_is_refused_to_heads_of_other_sizes(hidden: int, heads: int, fits: bool) -> None:
    shape = geometry(hidden=hidden, heads=heads)
    if fits:
        need_head_size(shape)
        return
    with pytest.raises(ValueError, match=f"multiples of 8 up to 256, this grid's are {hidden // heads}; use auto"):
        need_head_size(shape)


class Counting(Rerun):
    def __init__(self) -> None:
        self.count, self.settled = 0, 0

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording:
        self.count += 1
        for part in parts:
            part()
        return Recording(list(parts), own_bytes=1)

    def settle(self) -> None:
        self.settled += 1


class Occupied(Rerun):
    """Another thread captures, for as long as it likes."""

    busy = True

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording | None:
        return super().record(parts) if wait or not self.busy else None


class Failing(Counting):
    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording:
        self.count += 1
        raise RuntimeError("operation not permitted when stream is capturing")


class Forgetful(Rerun):
    """Its replays leave in memory what stood there."""

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording:
        for part in parts:
            part()
        return Recording([lambda: None for _ in parts], 0)
