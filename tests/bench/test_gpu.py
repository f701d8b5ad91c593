"""The GPU benchmark: its arithmetic, and the whole of it in small on a machine without a GPU."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.gpu import (
    contenders,
    lengths,
    report,
    scale,
    suite,
    table,
    throughput,
    timing,
    watch,
    work,
)
from bench.record import RESULTS, Figure

BASE = scale.bert(rows=12, hidden=768, heads=12)


def test_a_pass_of_bert_base_counts_its_weights_twice_for_each_token() -> None:
    done = work.pass_work(BASE, students=1, texts=1, length=1)
    weights = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert done.flops == pytest.approx(2 * weights, rel=1e-2)
    assert done.moved_bytes == pytest.approx(2 * weights, rel=1e-2)


def test_with_pooling_cls_the_last_row_ends_with_first_tokens() -> None:
    shape = scale.bert(rows=2, hidden=4, heads=1)
    done = work.pass_work(shape, students=3, texts=5, length=7)
    whole = 2 * (4 * 16 + 2 * 4 * 16) * 35 + 4 * 5 * 49 * 4  # ffn is 16 wide
    last = 2 * 3 * 16 * 35 + 2 * (16 + 2 * 4 * 16) * 5 + 4 * 5 * 7 * 4
    assert done.flops == 3 * (whole + last)
    mean = work.pass_work(shape.replace(pooling="mean"), students=3, texts=5, length=7)
    assert mean.flops == 3 * 2 * whole
    assert mean.moved_bytes == done.moved_bytes


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
    assert part.skipped == ["96 of 100 rounds of calls: no time left"]


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
    lines = table.markdown(json.loads(path.read_text())).splitlines()
    assert {line.count("|") for line in lines if line.startswith("| ensemble")} == {8}
    assert sum(line.startswith("| k1 graphs, n = ") for line in lines) == 2
    assert any(line.startswith("- latency large: torch.compile of the teacher at 8, 16 tokens") for line in lines)


def test_the_time_of_a_run_has_a_place_for_everything_that_is_compiled() -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        real = scale.gpu(torch.device("cuda", 0))
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
    assert real.total_s <= 7.5 * 60  # imports and pictures come on top, and eight minutes are promised
    ends = list(watch.deadlines(suite.SHARES, real.total_s).values())
    share_s = dict(zip(suite.SHARES, (end - start for start, end in pairwise([0.0, *ends])), strict=True))
    for part in ("equality", "alternatives"):
        assert share_s[part] >= real.compile_s["rows"] + 10
    for size, lengths_ in real.compile_lengths.items():
        assert set(lengths_) <= set(real.lengths)
        assert share_s[f"latency {size}"] >= len(lengths_) * real.compile_s[size] + 20


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), max_size=40), st.integers(1, 12))
def test_texts_are_sorted_among_those_that_wait_together_alone(ids: list[list[int]], window: int) -> None:
    ordered = throughput.sorted_in_windows(ids, window)
    for start in range(0, len(ids), window):
        mine, came = ordered[start : start + window], ids[start : start + window]
        assert sorted(mine) == sorted(came)
        assert [len(own) for own in mine] == sorted(map(len, came))


@pytest.mark.parametrize("allowed", [True, False])
def test_transformers_have_the_attention_that_they_are_given_and_nobody_else(allowed: bool) -> None:
    before, seen = torch.backends.cuda.cudnn_sdp_enabled(), []

    def model(**_: torch.Tensor | None) -> object:
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        return SimpleNamespace(logits=torch.zeros(1, 2))

    contenders.in_transformers(model, scale.dry(), cudnn=allowed)([[1, 2]])
    assert seen == [allowed]
    assert torch.backends.cuda.cudnn_sdp_enabled() == before


def test_a_table_has_a_column_for_each_shape_and_leaves_out_what_was_not_measured() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value, "high": value}

    figures = {
        "latency:base:s16:ensemble_k4": figure(0.5), "latency:base:s16:teacher_graphs": figure(1.5),
        "latency:base:s64:ensemble_k4": figure(0.75), "speedup:base:s16:k4": figure(3.0),
        "executor:n8:s32:stacked": figure(2.0), "executor_ratio:n8:s32:stacked": figure(1.0),
        "throughput:k1_graphs:n64": figure(9000.0), "gain:k1_graphs:n64": figure(20.0),
    }  # fmt: skip
    lines = table.markdown({"figures": figures}).splitlines()
    assert lines[0].endswith("| base, 16 tokens | base, 64 tokens |")
    assert lines[2:4] == ["| ensemble k4 | 0.50 (3.00) | 0.75 |", "| teacher graphs | 1.50 |  |"]
    assert "| `stacked` | 2.00 (1.00) |" in lines
    assert lines[-1] == "| k1 graphs, n = 64 | 9000 | 20.00 (20.00 to 20.00) |"
