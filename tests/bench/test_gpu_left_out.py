"""What the GPU benchmark does about contenders that fail, answer wrongly, or are not there: the others are measured."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from bench.gpu import alternatives, driver, latency, scale, suite, table, throughput, watch, work
from bench.record import Figure
from phalanx_grid import Batch, FinalStep, Grid, RampStep
from phalanx_grid.execution import Executor, Stacked


def refuse(grid: Grid) -> Executor:
    raise ValueError("it needs compute capability 8.0")


class Late(Stacked):
    """Made without complaint; its kernels are compiled at the first batch."""

    def steps(self, batch: Batch, **rest: Any) -> Iterator[RampStep | FinalStep]:
        raise RuntimeError("Failed to find a C compiler\nand pages more")


class Off(Stacked):
    """Answers, but not what it was asked."""

    def steps(self, batch: Batch, **rest: Any) -> Iterator[RampStep | FinalStep]:
        *steps, final = super().steps(batch, **rest)
        assert isinstance(final, FinalStep)
        assert final.together is not None
        yield from steps
        yield dataclasses.replace(final, together=final.together + 1)


def small(**executors: scale.Make) -> scale.Scale:
    """A dry run in a second, with some executors in place of its own."""
    whole = scale.dry()
    return dataclasses.replace(
        whole, executors={**whole.executors, **executors}, batch_texts=(8,), texts=8, lengths=(8,), shapes=((1, 8),),
        rounds=1, compile_s={"base": 1e9, "large": 1e9, "rows": 1e9},
    )  # fmt: skip


def quiet_part() -> watch.Part:
    return watch.Part(
        "burst", watch.Watch({"burst": 1.0}, total_s=60, console=Console(file=io.StringIO())).progress, lambda: 60.0
    )


def test_an_executor_that_the_device_lacks_is_left_out_of_the_burst() -> None:
    part = quiet_part()
    figures = throughput.measure(small(varlen=refuse), part, work.Limits(flops_per_s=1e9, bytes_per_s=1e9))
    assert "gain:k1_graphs:n8" in figures
    assert not any("varlen" in key for key in figures)
    assert part.skipped == ["varlen: ValueError: it needs compute capability 8.0"]


def test_an_executor_that_fails_at_its_first_batch_is_left_out_and_the_others_are_compared() -> None:
    part = quiet_part()
    figures = alternatives.measure(small(grouped=Late), part)
    assert not any("grouped" in key for key in figures)
    assert "executor_ratio:n1:s8:graphs" in figures
    assert "grouped: RuntimeError: Failed to find a C compiler" in part.skipped


def test_without_graphs_the_teachers_in_transformers_are_measured_still() -> None:
    part = quiet_part()
    figures = latency.measure(small(graphs=Late), part, "base", None)
    assert set(figures) == {"latency:base:s8:teacher_eager"}
    assert "graphs: RuntimeError: Failed to find a C compiler" in part.skipped


def test_where_nothing_can_be_compiled_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_all(*_: object) -> object:
        raise RuntimeError("torch.compile is not supported on this Python")

    monkeypatch.setattr(latency, "_compiled", refuse_all)
    part, quick = quiet_part(), {"base": 0.0, "large": 0.0, "rows": 0.0}
    figures = latency.measure(dataclasses.replace(small(), compile_s=quick), part, "base", None)
    assert {key.split(":")[3] for key in figures if key.startswith("latency:")} >= {"teacher_eager", "teacher_graphs"}
    assert "torch.compile of the teacher: RuntimeError: torch.compile is not supported on this Python" in part.skipped


def test_a_wrong_executor_is_timed_by_nobody_and_fails_the_run_when_the_result_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> dict[str, Figure]:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(suite, "TRIALS", tmp_path)
    monkeypatch.setattr(suite, "dry", lambda: small(streams=Off))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(throughput, "measure", break_off)
    with pytest.raises(SystemExit, match=r"gpu_dry\.json is written, but answers are wrong: streams is .* off"):
        suite.run()
    written = json.loads((tmp_path / "gpu_dry.json").read_text())
    assert list(written["wrong"]) == ["streams"]
    assert written["skipped"]["alternatives"][0] == "streams: its answers are wrong"
    assert written["skipped"]["throughput"] == [
        "the rest of this part: RuntimeError: an illegal memory access was encountered"
    ]
    kinds = {key.split(":")[0] for key in written["figures"]}
    assert {"latency", "executor", "warm_up"} < kinds
    assert not any(key.startswith("executor:") and key.endswith("streams") for key in written["figures"])
    assert len(list(tmp_path.glob("gpu-dry-*.png"))) == 3  # no burst, no picture of it
    lines = table.markdown(written).splitlines()
    assert any(line.startswith("- `streams` answers wrongly: is ") for line in lines)


@pytest.mark.parametrize(
    ("listed", "there", "hidden", "said"),
    [
        ([], False, None, ""),
        (["GPU 0: H100"], True, None, ""),
        (["GPU 0: H100"], False, "", ""),
        (["GPU 0: H100"], False, None, "nvidia-smi lists GPU 0: H100, but torch"),
    ],
)
def test_a_gpu_that_torch_does_not_see_is_no_reason_for_a_dry_run(
    monkeypatch: pytest.MonkeyPatch, listed: list[str], there: bool, hidden: str | None, said: str
) -> None:
    monkeypatch.setattr(driver, "_listed", lambda: listed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert driver.unseen().startswith(said)
    assert bool(driver.unseen()) == bool(said)
