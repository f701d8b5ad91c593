"""The CPU benchmark: its arithmetic, and one cell in small, from the encoder to the tables."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench import __main__ as start
from bench.cpu import child, command, contenders, errors, latency, rounds, subject, throughput
from bench.cpu.batching import ORDERS, padding
from bench.cpu.contenders import Contender, Ids
from bench.cpu.goals import goals
from bench.cpu.made_up import texts, write_checkpoint
from bench.cpu.scale import FULL, PADDED_TEXTS, QUICK, Cell, Scale
from bench.cpu.table import markdown
from bench.record import RESULTS, Figure
from phalanx_distill.packaged import ENCODERS, SETS
from phalanx_grid import Accuracy, StudentAccuracy, import_checkpoint, save_artifact

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=150)


@pytest.mark.parametrize("order", ORDERS)
@given(lengths=LENGTHS)
def test_every_order_serves_every_text_once(order: str, lengths: list[int]) -> None:
    batches = list(ORDERS[order](lengths))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))


@given(lengths=LENGTHS)
def test_sorting_by_length_never_pads_more_than_taking_texts_as_they_come(lengths: list[int]) -> None:
    shares = [padding([[lengths[place] for place in batch] for batch in ORDERS[o](lengths)]) for o in ORDERS]
    assert all(0 <= share < 1 for share in shares)
    by_order = dict(zip(ORDERS, shares, strict=True))
    assert by_order["sorted"] <= by_order["padded"] + 1e-9


def test_padded_batches_are_of_the_usual_size_in_order_of_arrival() -> None:
    sizes = [len(batch) for batch in ORDERS["padded"]([5] * (2 * PADDED_TEXTS + 1))]
    assert sizes == [PADDED_TEXTS, PADDED_TEXTS, 1]
    assert [place for batch in ORDERS["padded"]([9, 1, 5]) for place in batch] == [0, 1, 2]


@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=60), st.sampled_from([50, 99]))
def test_a_percentile_lies_within_its_interval_and_among_the_values(values: list[float], percent: int) -> None:
    figure = latency.percentile(np.array(values), percent)
    assert min(values) * (1 - 1e-9) <= figure.low <= figure.value <= figure.high <= max(values) * (1 + 1e-9)


def test_the_interval_of_a_percentile_holds_it_as_often_as_it_says() -> None:
    """Times with a long tail, whose true 99th percentile is known; of too few of them the bound above is too low."""
    dice = np.random.default_rng(0)

    def held(count: int) -> float:
        draws = dice.pareto(2.5, (400, count)) + 1
        true = 0.01 ** (-1 / 2.5)
        return float(np.mean([f.low <= true <= f.high for f in (latency.percentile(each, 99) for each in draws)]))

    assert 0.93 <= held(latency.enough(99)) <= 1
    assert held(100) < 0.85
    assert FULL.least_texts >= latency.enough(99)


def test_rounds_are_at_least_so_many_and_end_with_the_time_or_the_texts() -> None:
    assert list(rounds.until(0, least=3, most=10, what="none")) == [0, 1, 2]
    assert list(rounds.until(60, least=3, most=5, what="all")) == [0, 1, 2, 3, 4]


def of(name: str, *orders: str) -> Contender:
    who, _, form = name.rpartition("_")
    return Contender(who=who, form=form, like=name, orders=orders, answer=lambda ids: torch.ones(len(ids), 2))


def test_rates_are_held_against_plain_transformers_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter(
        [
            {"transformers_fp32:padded": 4.0, "a_fp32:buckets": 1.0},
            {"transformers_fp32:padded": 2.0, "a_fp32:buckets": 1.0},
        ]
    )
    monkeypatch.setattr(throughput, "shuffled", lambda calls, dice: next(taken))
    scale = Scale(cells=(), chunk_texts=10, least_texts=1, least_chunks=2)
    cell = Cell(encoder="e", task="t", threads=1, latency_s=0, throughput_s=0)
    rivals = [of("transformers_fp32", "padded"), of("a_fp32", "buckets")]
    figures = throughput.measure(scale, cell, [[1, 2]] * 20, rivals)
    assert figures["e:t:t1:gain:a_fp32:buckets"] == Figure(value=3.0, low=2.0, high=4.0, unit="x")
    assert figures["e:t:t1:throughput:transformers_fp32:padded"].value == pytest.approx(20 / 6)


def test_a_contender_that_computes_something_else_ends_the_run(tmp_path: Path) -> None:
    cell = QUICK.cells[1]
    found = subject.read_subject(cell, made_up=tmp_path)
    wrong = Contender(
        who="wrong", form="fp32", like="teacher_fp32", orders=(), answer=lambda ids: torch.zeros(len(ids), 3)
    )
    right = [each for each in contenders.ours(found, 1) if each.name == "teacher_fp32"]
    with pytest.raises(RuntimeError, match="wrong_fp32 are 1 off"):
        errors.errors(cell, found, [*right, wrong])


def test_goals_judge_the_cut_of_the_deep_teacher_and_the_latency_of_all_students() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value, "high": value}

    figures = {
        "deep:t:t1:rows": figure(12), "flat:t:t1:rows": figure(6), "deep:t:accuracy:2x4_k1": figure(0.5),
        "deep:t:t1:gain:2x4_k1_bf16:buckets": figure(7.9), "flat:t:t1:gain:2x4_k1_bf16:buckets": figure(9),
        "deep:t:t1:gain:2x4_k2_bf16:buckets": figure(9), "deep:t:t1:latency:2x4_k1_bf16:ratio": figure(0.5),
        "deep:t:t1:latency:2x4_k2_bf16:ratio": figure(1.0), "deep:t:t1:latency:teacher_bf16:ratio": figure(1.0),
    }  # fmt: skip
    judged = {(goal.who, goal.what.partition(" ")[0]): goal for goal in goals(figures)}
    assert {key: goal.verdict for key, goal in judged.items()} == {
        ("2x4_k1_bf16", "throughput"): "missed",
        ("2x4_k2_bf16", "latency"): "in time alone",
    }
    assert judged["2x4_k1_bf16", "throughput"].accuracy == figure(0.5)
    assert judged["2x4_k2_bf16", "latency"].accuracy is None
    known = figures | {"deep:t:accuracy:2x4_k2": figure(0.9), "deep:t:accuracy:teacher": figure(0.9)}
    assert [goal.verdict for goal in goals(known)] == ["missed", "reached"]


def test_fast_students_that_know_less_than_their_teacher_reach_no_goal_of_latency() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.02, "high": value + 0.02}

    figures = {
        "deep:t:t1:rows": figure(12), "deep:t:accuracy:teacher": figure(0.9),
        "deep:t:accuracy:2x4_k1": figure(0.8), "deep:t:accuracy:2x4_k2": figure(0.87),
        "deep:t:t1:gain:2x4_k1_bf16:buckets": figure(9), "deep:t:t1:latency:2x4_k2_bf16:ratio": figure(0.8),
    }  # fmt: skip
    assert [goal.verdict for goal in goals(figures)] == ["reached", "in time alone"]
    nearly = figures | {"deep:t:accuracy:2x4_k2": figure(0.885)}
    assert [goal.verdict for goal in goals(nearly)] == ["reached", "reached"]


def test_what_was_distilled_takes_part_in_its_own_shape_with_its_accuracy(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "tiny", family="bert")
    teacher, tokenizer = import_checkpoint(tmp_path / "tiny", classes=2, labels=("a", "b"))
    shares = [StudentAccuracy(students=k, accuracy=k / 4, low=0.0, high=1.0, agreement=1.0) for k in (1, 2)]
    known = Accuracy(by_k=tuple(shares), rows_evaluated=4)
    grid = subject.cut_ensemble(teacher, 2, 1)
    save_artifact(tmp_path / "runs" / "tiny-words-1", grid, tokenizer, provenance={}, accuracy=known)
    found = subject.distilled("tiny", "words", tmp_path / "runs")
    assert found is not None
    assert subject.distilled("tiny", "other", tmp_path / "runs") is None
    assert subject.distilled_run("tiny", "words", tmp_path / "runs") == tmp_path / "runs" / "tiny-words-1"
    here = subject.Subject(tmp_path, teacher, (), found, tmp_path)
    assert {name: grid.geometry.students for name, grid in here.ensembles().items()} == {"4x2": 4, "2x1": 2}
    cell = Cell(encoder="tiny", task="words", threads=1, latency_s=0, throughput_s=0)
    assert subject.accuracy(cell, here)["tiny:words:accuracy:2x1_k2"].value == 0.5


def test_a_cell_in_small_has_every_contender_and_makes_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = child.measure(QUICK, QUICK.cells[0], tmp_path)
    assert all(figure.low <= figure.value <= figure.high for figure in figures.values())
    served = {key.split(":")[4].rpartition("_")[0] for key in figures if ":throughput:" in key}
    assert served == {*(f"4x2_k{k}" for k in range(1, 5)), "teacher", "transformers", "onnx"}
    assert {key.split(":")[4] for key in figures if ":latency:" in key} == {
        key.split(":")[4] for key in figures if ":throughput:" in key
    }
    monkeypatch.setattr(command, "_measured", lambda *_: figures)
    before = {path: path.read_bytes() for path in RESULTS.glob("*.json")}
    path = command.main(["--quick"], trials=tmp_path)
    assert {path: path.read_bytes() for path in RESULTS.glob("*.json")} == before
    assert (tmp_path / "cpu.png").stat().st_size > 10_000
    assert "Against the goals" in capsys.readouterr().out
    assert json.loads(path.read_text())["figures"] == {key: asdict(figure) for key, figure in figures.items()}
    table = markdown(json.loads(path.read_text())["figures"])
    assert "| transformers fp32, padded |" in table
    assert "not yet taken" in table
    assert len({line.count("|") for line in table.split("\n\n")[1].splitlines()}) == 1


def test_a_full_run_knows_its_encoders_and_tasks_and_keeps_to_its_minutes() -> None:
    assert {cell.encoder for cell in FULL.cells} == set(ENCODERS)
    assert {cell.task for cell in FULL.cells} <= set(SETS)
    assert sum(cell.latency_s + cell.throughput_s for cell in FULL.cells) < 6 * 60


@pytest.mark.parametrize(("given", "options"), [(["cpu"], None), (["cpu", "--quick"], ["--quick"])])
def test_options_reach_the_benchmark_that_they_follow(
    given: list[str], options: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str] | None] = []
    monkeypatch.setattr("bench.cpu.run", lambda arguments=None: told.append(arguments))
    monkeypatch.setattr(sys, "argv", ["bench", *given])
    start.main()
    assert told == [options]


def test_made_up_texts_are_the_same_every_time() -> None:
    assert texts() == texts()


def test_each_contender_gets_the_text_of_its_round(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, list[Ids]] = {"teacher_fp32": [], "other_fp32": []}

    def listening(name: str) -> Contender:
        who = name.rpartition("_")[0]
        return Contender(
            who=who, form="fp32", like=name, orders=(), answer=lambda ids: heard[name].append(ids) or torch.ones(1)
        )

    scale = Scale(cells=(), chunk_texts=1, least_texts=3, least_chunks=1)
    cell = Cell(encoder="e", task="t", threads=1, latency_s=0, throughput_s=0)
    figures = latency.measure(scale, cell, [[1], [2], [3], [4]], [listening(name) for name in heard])
    assert heard["teacher_fp32"] == heard["other_fp32"]
    assert len({tuple(ids[0]) for ids in heard["other_fp32"]}) == 3
    assert figures["e:t:t1:latency:teacher_fp32:ratio"].value == 1
