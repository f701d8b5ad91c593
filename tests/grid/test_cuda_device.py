"""On a CUDA device: every executor gives the answers of `stacked`, whatever came before it through the same memory."""

from __future__ import annotations

import pytest
import torch

from phalanx_grid import Batch, FinalStep, Geometry, Grid, RampStep, cast
from phalanx_grid.execution import Executor, Stacked, make_executor
from phalanx_grid.execution.cuda.capture import CudaRecorder
from phalanx_grid.execution.cuda.devices import avoid_cudnn_attention
from phalanx_grid.execution.cuda.graphs import Bounds, Graphs
from phalanx_grid.execution.staging import Returns
from tests.grid.builders import MPNET, batch_of, geometry, make_grid

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]
SHAPE = geometry(students=4, rows=3, hidden=64, heads=4, ffn=128, max_positions=128, layer_norm_eps=1e-5)
NAMES = ("stacked", "graphs", "streams", "grouped", "varlen", "compiled")


@pytest.fixture(autouse=True)
def as_served() -> None:
    """Some tests make executors themselves, without the registry."""
    avoid_cudnn_attention()


def on_device(shape: Geometry = SHAPE, dtype: torch.dtype = torch.bfloat16) -> Grid:
    grid = make_grid(shape)
    with torch.no_grad():
        for name, parameter in grid.named_parameters():
            if "norm" not in name:
                parameter.mul_(0.3)  # 16 bits leave no answer to compare if every row magnifies its rounding
    return cast(grid.cuda(), dtype).requires_grad_(False)


def mixed(grid: Grid, count: int, seed: int = 0) -> list[tuple[Batch, int]]:
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def text() -> list[int]:
        return torch.randint(2, grid.geometry.vocab, (draw(1, 100),), generator=generator).tolist()

    found = []
    for _ in range(count):
        sequences = [text() for _ in range(draw(1, 12))]
        found.append((batch_of(grid, sequences), draw(1, grid.geometry.students)))
    return found


def answers(executor: Executor, batch: Batch, k: int) -> list[torch.Tensor]:
    """Logits of every ramp and of the end, [rows, N, C], kept on the device."""
    results = []
    for step in executor.steps(batch, students=k):
        results.append(step.logits if isinstance(step, RampStep) else torch.stack(step.logits))
    return results


def far(mine: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """The largest difference over the largest |logit| of its text and row."""
    return max(
        float(((a - b).abs().amax(1) / b.abs().amax(1)).max()) for a, b in zip(mine, wanted, strict=True)
    )  # fmt: skip


@pytest.mark.timeout(600)  # `compiled` may compile for two minutes before it serves, and later what it did not get to
@pytest.mark.filterwarnings("ignore:TensorFloat32")  # Inductor advises a format that would round what is compared
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_answers_equal_those_of_each_text_alone_in_fp32(name: str, dtype: torch.dtype) -> None:
    if dtype is torch.float32 and name in ("grouped", "varlen"):
        pytest.skip("for bfloat16 alone")
    if name == "grouped" and torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("needs compute capability 9.0")
    reference, grid = Stacked(on_device(dtype=torch.float32)), on_device(dtype=dtype)
    executor = make_executor(grid, device="cuda", name=name)
    for batch, k in mixed(grid, 6):
        mine = answers(executor, batch, k)
        for place in range(batch.size):
            ids = batch.ids[place][batch.mask[place]].tolist()
            alone = answers(reference, batch_of(grid, [ids]), k)
            assert far([step[place : place + 1] for step in mine], alone) <= executor.tolerance


@pytest.mark.parametrize("shape", [SHAPE, SHAPE.replace(**MPNET), SHAPE.replace(pooling="cls", pooler=True)])
def test_graphs_reuse_their_memory_under_a_stream_of_mixed_shapes(shape: Geometry) -> None:
    grid = on_device(shape)
    stacked = Stacked(grid)
    bounds = Bounds(asks=1, passes=16)
    executor = Graphs(grid, CudaRecorder(torch.device("cuda")), otherwise=stacked, bounds=bounds)
    kept = [(answers(executor, batch, k), batch, k) for batch, k in mixed(grid, 120)]
    assert executor.captured == bounds.passes
    for mine, batch, k in kept:
        assert far(mine, answers(stacked, batch, k)) <= executor.tolerance


def test_evicted_graphs_give_their_memory_back() -> None:
    grid = on_device()
    executor = Graphs(
        grid, CudaRecorder(torch.device("cuda")), otherwise=Stacked(grid), bounds=Bounds(asks=1, passes=2)
    )
    held = []
    for batch, k in mixed(grid, 80, seed=1):
        answers(executor, batch, k)
        held.append(executor.memory_bytes)
    assert executor.captured == 2
    assert max(held[40:]) <= 2 * max(held[:40])


def test_a_full_batch_and_one_with_padding_of_the_same_shape_have_graphs_of_their_own() -> None:
    grid = on_device()
    executor = Graphs(grid, CudaRecorder(torch.device("cuda")), otherwise=Stacked(grid), bounds=Bounds(asks=1))
    for batch in (batch_of(grid, [[2] * 16, [3] * 16]), batch_of(grid, [[2] * 16, [3] * 5])):
        for _ in range(2):
            assert far(answers(executor, batch, 4), answers(Stacked(grid), batch, 4)) <= executor.tolerance
    assert executor.captured == 2


def test_an_answer_comes_home_while_the_stream_that_computes_goes_on() -> None:
    returns, wanted = Returns(), torch.arange(6.0, device="cuda").view(2, 3)
    coming = returns.send(wanted)
    torch.cuda._sleep(2_000_000_000)  # about a second of the device's clock
    later = returns.send(wanted + 1)
    assert coming.read().tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert not later.ready()
    assert later.read().tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_many_batches_through_the_same_staging_memory_do_not_mix() -> None:
    grid = on_device()
    executor, returns = make_executor(grid, device="cuda", name="graphs"), Returns()
    batches = mixed(grid, 50, seed=2)
    coming = []
    for batch, k in batches:
        *_, final = executor.steps(batch, students=k)
        assert isinstance(final, FinalStep)
        assert final.together is not None
        coming.append(returns.send(final.together))
    stacked = Stacked(grid)
    for returning, (batch, k) in zip(coming, batches, strict=True):
        wanted = answers(stacked, batch, k)[-1].cpu()
        assert far([returning.read()], [wanted]) <= executor.tolerance


def test_recorders_have_streams_of_their_own_even_after_torch_has_handed_out_all() -> None:
    device = torch.device("cuda")
    held = [CudaRecorder(device) for _ in range(4)]
    spent = [torch.cuda.Stream(device) for _ in range(30)]
    held += [CudaRecorder(device) for _ in range(4)]
    assert len({recorder._stream.cuda_stream for recorder in held}) == len(held)
    assert len(spent) == 30


def test_a_capture_that_fails_leaves_the_stream_and_the_answers_as_they_were() -> None:
    grid, current = on_device(), torch.cuda.current_stream()
    recorder = CudaRecorder(torch.device("cuda"))
    runs = iter(range(100))

    def part() -> None:
        if next(runs) == 2:  # after the rehearsals
            torch.cuda.current_stream().synchronize()

    with pytest.raises(RuntimeError):
        recorder.record([part])
    assert torch.cuda.current_stream() == current
    batch = batch_of(grid, [[2, 3, 4]])
    assert torch.isfinite(answers(Stacked(grid), batch, 4)[-1]).all()
