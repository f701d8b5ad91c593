"""The GPU benchmark: its arithmetic, and the whole of it in small on a machine without a GPU."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.gpu import lengths, report, scale, suite, table, throughput, timing, watch, work
from bench.record import RESULTS, Figure
from phalanx_grid import Grid
from phalanx_grid.execution import Executor

BASE = scale.bert(rows=12, hidden=768, heads=12)


def test_a_pass_of_bert_base_counts_its_weights_twice_for_each_token() -> None:
    done = work.pass_work(BASE, students=1, texts=1, length=1)
    weights = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert done.flops == pytest.approx(2 * weights, rel=1e-2)
    assert done.moved_bytes == pytest.approx(2 * weights, rel=1e-2)


@given(st.integers(1, 8), st.integers(1, 64), st.integers(1, 512))
def test_work_grows_with_students_and_texts_but_weights_are_read_once(k: int, texts: int, length: int) -> None:
    ensemble = BASE.replace(students=8, rows=2)
    one = work.pass_work(ensemble, students=1, texts=texts, length=length)
    many = work.pass_work(ensemble, students=k, texts=texts, length=length)
    assert many.flops == pytest.approx(k * one.flops)
    double = work.pass_work(ensemble, students=k, texts=2 * texts, length=length)
    assert double.flops == pytest.approx(2 * many.flops)
    assert double.moved_bytes < 2 * many.moved_bytes


@given(st.lists(st.integers(1, 100), min_size=1, max_size=20), st.integers(1, 20))
def test_texts_in_larger_batches_read_the_weights_less_often(sizes: list[int], batch: int) -> None:
    alone = work.texts_work(BASE, students=1, lengths=sizes, batch_texts=1)
    together = work.texts_work(BASE, students=1, lengths=sizes, batch_texts=batch)
    assert together.flops == alone.flops
    assert together.moved_bytes <= alone.moved_bytes


def test_the_slower_limit_decides_what_a_pass_takes_at_least() -> None:
    limits = work.Limits(flops_per_s=100.0, bytes_per_s=10.0)
    assert work.Work(flops=100.0, moved_bytes=1.0).least_s(limits) == 1.0
    assert work.Work(flops=1.0, moved_bytes=20.0).least_s(limits) == 2.0


@given(st.dictionaries(st.text(min_size=1), st.floats(0.1, 10), min_size=1), st.floats(1, 1000))
def test_parts_end_in_order_and_the_last_at_the_end(shares: dict[str, float], total_s: float) -> None:
    ends = list(watch.deadlines(shares, total_s).values())
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(total_s)


def test_rounds_end_with_the_time_and_say_so() -> None:
    left = iter([10.0, 9.0, 8.0, 6.0, 4.0, 2.0, 0.0, -1.0, -2.0])
    quiet = watch.Watch({"a": 1.0}, total_s=1.0, console=Console(file=io.StringIO()))
    part = watch.Part("a", quiet.progress, lambda: next(left))
    assert list(part.rounds("calls", 100, share=0.5, least=1)) == [0, 1, 2, 3]
    assert part.skipped == ["96 of 100 rounds of calls"]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_lie_in_order_among_the_values(values: list[float], a: float, b: float) -> None:
    low, high = timing.percentile(values, min(a, b)), timing.percentile(values, max(a, b))
    assert min(values) <= low <= high * (1 + 1e-9)
    assert high <= max(values) * (1 + 1e-9)


def test_every_contender_runs_once_in_a_round() -> None:
    calls: list[str] = []
    seconds = timing.interleaved({name: lambda name=name: calls.append(name) for name in "abc"}, range(4))
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(sorted(calls[start : start + 3]) == ["a", "b", "c"] for start in range(0, 12, 3))


def test_lengths_are_those_of_real_texts_and_the_same_every_time() -> None:
    drawn = lengths.draw(500, longest=64)
    assert drawn == lengths.draw(500, longest=64)
    assert 10 < sum(drawn) / len(drawn) < 30
    assert max(drawn) <= 64


@pytest.mark.parametrize(
    ("value", "floor", "said"),
    [
        (4.2, 1.6, "reaches the goal of 4.1"),
        (2.0, 1.6, "above the floor of 1.6, below the goal of 4.1"),
        (1.0, 1.6, "below the floor of 1.6"),
        (2.0, None, "below the goal of 4.1"),
    ],
)
def test_a_verdict_says_where_a_ratio_stands(value: float, floor: float | None, said: str) -> None:
    assert report.verdict(value, goal=4.1, floor=floor) == said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is the run without a CUDA device")
def test_without_a_gpu_all_of_it_runs_in_small_and_writes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suite, "TRIALS", tmp_path)
    before = set(RESULTS.iterdir())
    path = suite.run()
    assert path == tmp_path / "gpu_dry.json"
    assert set(RESULTS.iterdir()) == before
    assert "figures mean nothing" in capsys.readouterr().out
    figures = {key: Figure(**value) for key, value in json.loads(path.read_text())["figures"].items()}
    kinds = {key.split(":")[0] for key in figures}
    assert kinds == {
        "limit", "error", "latency", "speedup", "roofline", "executor", "executor_ratio", "throughput", "gain",
        "warm_up",
    }  # fmt: skip
    assert all(figure.low <= figure.value <= figure.high for figure in figures.values())
    assert len(list(tmp_path.glob("gpu-dry-*.png"))) == 4
    lines = table.markdown(json.loads(path.read_text())["figures"]).splitlines()
    assert {line.count("|") for line in lines if line.startswith("| ensemble")} == {6}
    assert sum(line.startswith("| k1 graphs, n = ") for line in lines) == 2


def test_an_executor_that_the_device_lacks_is_left_out_of_the_burst() -> None:
    def refuse(grid: Grid) -> Executor:
        raise ValueError("it needs compute capability 8.0")

    small = scale.dry()
    small = dataclasses.replace(small, executors={**small.executors, "varlen": refuse}, batch_texts=(8,), texts=8)
    part = watch.Part(
        "burst", watch.Watch({"burst": 1.0}, total_s=60, console=Console(file=io.StringIO())).progress, lambda: 60.0
    )
    figures = throughput.measure(small, part, work.Limits(flops_per_s=1e9, bytes_per_s=1e9))
    assert "gain:k1_graphs:n8" in figures
    assert not any("varlen" in key for key in figures)
    assert part.skipped == ["varlen: it needs compute capability 8.0"]


def test_a_table_has_a_column_for_each_shape_and_leaves_out_what_was_not_measured() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value, "high": value}

    figures = {
        "latency:base:s16:ensemble_k4": figure(0.5), "latency:base:s16:teacher_graphs": figure(1.5),
        "latency:base:s64:ensemble_k4": figure(0.75), "speedup:base:s16:k4": figure(3.0),
        "executor:n8:s32:stacked": figure(2.0), "executor_ratio:n8:s32:stacked": figure(1.0),
        "throughput:k1_graphs:n64": figure(9000.0), "gain:k1_graphs:n64": figure(20.0),
    }  # fmt: skip
    lines = table.markdown(figures).splitlines()
    assert lines[0].endswith("| base, 16 tokens | base, 64 tokens |")
    assert lines[2:4] == ["| ensemble k4 | 0.50 (3.00) | 0.75 |", "| teacher graphs | 1.50 |  |"]
    assert "| `stacked` | 2.00 (1.00) |" in lines
    assert lines[-1] == "| k1 graphs, n = 64 | 9000 | 20.00 (20.00 to 20.00) |"
