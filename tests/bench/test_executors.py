"""The comparison of executors: what is timed, and how its figures are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.executors import contenders, measure, table
from bench.executors.contenders import Cell
from bench.executors.scale import TINY


@pytest.fixture
def without_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export takes seconds."""
    monkeypatch.setattr(contenders, "runtimes", lambda *args, **kwargs: {})


@pytest.mark.usefixtures("without_runtimes")
def test_every_contender_answers_the_same_texts() -> None:
    before = torch.get_num_threads()
    calls = contenders.contenders(Cell(TINY.encoders[0], 4, 8, threads=1, students=2), Path())
    exact = calls["stacked_fp32"]()
    assert exact.shape == (4, 6)
    for name, call in calls.items():
        if not name.startswith("teacher"):
            assert torch.allclose(call(), exact, atol=0.05 * float(exact.abs().max())), name
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("without_runtimes")
def test_figures_hold_each_contender_against_the_default_in_its_own_number_format() -> None:
    scale = replace(TINY, threads=(1,), students=(2,), seconds=0.0)
    figures = measure.measure(scale)
    cell = "tiny:n4:s8:t1:k2"
    assert figures[f"ratio:threads_fp32:{cell}"].value == figures[f"ratio:threads_bf16:{cell}"].value == 1.0
    assert figures[f"error:stacked_fp32:{cell}"].value == 0.0
    assert 0.0 < figures[f"error:stacked_bf16:{cell}"].value < 0.05
    for name in ("stacked_fp32", "packed_bf16", "int8_int8"):
        assert figures[f"{name}:{cell}"].unit == "ms"
        assert figures[f"{name}:{cell}"].low <= figures[f"{name}:{cell}"].value <= figures[f"{name}:{cell}"].high


def test_tables_name_shapes_and_leave_out_who_was_not_there() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value, "high": value}

    figures = {
        "threads_bf16:minilm:n1:s16:t2:k4": figure(2.0), "ratio:threads_bf16:minilm:n1:s16:t2:k4": figure(1.0),
        "threads_bf16:minilm:n32:s16:t2:k4": figure(40.0), "ratio:threads_bf16:minilm:n32:s16:t2:k4": figure(1.0),
        "openvino_bf16:minilm:n1:s16:t2:k4": figure(3.0), "ratio:openvino_bf16:minilm:n1:s16:t2:k4": figure(1.5),
        "error:openvino_bf16:minilm:n1:s16:t2:k4": figure(0.01),
    }  # fmt: skip
    assert table.markdown(figures).splitlines() == [
        "| threads: 2, students: 4 | minilm, 1 x 16 | minilm, 32 x 16 |",
        "|---|---|---|",
        "| threads, bf16 | 2.0 (1.00) | 40.0 (1.00) |",
        "| openvino, bf16 | 3.0 (1.50) |  |",
        "",
        "| contender | largest error of a logit, of the largest logit |",
        "|---|---|",
        "| openvino, bf16 | 1.0% |",
    ]
