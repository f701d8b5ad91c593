"""The ablation changes one choice at a time, compares variants on the same rows, and goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ablation.command import Places, collect, main
from bench.ablation.figures import figures_of, key_of, summary
from bench.ablation.kept import Kept, compared, path_of, read_kept, write_kept
from bench.ablation.plan import ROWS, TASKS, is_default, is_varied, settings_of
from bench.ablation.table import markdown
from bench.ablation.variants import DEFAULT, VARIANTS, named
from bench.accuracy.merging import Result
from bench.accuracy.subjects import Subject
from bench.record import Figure
from phalanx_distill.intervals import Pairs
from tests.distill import tiny


def kept(right: str, residual: float = 0.1) -> Kept:
    return Kept(
        fingerprint="f" * 64,
        commit="c",
        date="2001-01-01",
        right=right,
        against_teacher=Pairs(both=3, only_first=0, only_second=1, neither=0),
        residual=residual,
        plan="now",
    )


def test_every_variant_has_its_own_name_and_changes_something_that_settings_know() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    for encoder in TASKS:
        default = settings_of(named(DEFAULT), encoder=encoder, seed=0)
        for variant in VARIANTS:
            same = settings_of(variant, encoder=encoder, seed=0) == default
            assert same == (variant.name == DEFAULT or is_default(variant, encoder)), variant.name


def test_a_variant_changes_nothing_but_what_it_names() -> None:
    default = settings_of(named(DEFAULT), encoder="minilm", seed=3)
    changed = settings_of(named("hidden-last"), encoder="minilm", seed=3)
    undone = msgspec.structs.replace(changed.students, hidden=default.students.hidden)
    assert msgspec.structs.replace(changed, students=undone) == default


def test_the_default_is_measured_with_every_encoder_and_every_variant_with_one() -> None:
    for variant in VARIANTS:
        measured = [encoder for encoder in TASKS if is_varied(variant, encoder)]
        assert measured == list(TASKS) if variant.name == DEFAULT else "minilm" in measured
    assert len({task for tasks in TASKS.values() for task in tasks}) >= 4


@pytest.mark.parametrize("encoder", TASKS)
def test_no_students_are_as_deep_as_their_teacher(encoder: str) -> None:
    assert max(ROWS[encoder].values()) < {"minilm": 6, "mpnet": 12}[encoder]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_pairs_count_every_row_once(rows: list[tuple[bool, bool]]) -> None:
    first, second = ("".join("1" if each else "0" for each in column) for column in zip(*rows, strict=True))
    pairs = compared(kept(first), kept(second))
    assert pairs.total == len(rows)
    assert pairs.both + pairs.only_first == first.count("1")
    assert pairs.both + pairs.only_second == second.count("1")


def test_variants_of_other_rows_are_not_compared() -> None:
    with pytest.raises(ValueError, match="longer"):
        compared(kept("10"), kept("101"))


def test_variants_around_another_default_are_not_compared(tmp_path: Path) -> None:
    subject, places, result = Subject("tiny", "clues", 0), Places(runs=tmp_path), Result()
    for name, plan in ((DEFAULT, "new"), ("spread", "old"), ("mean", "new")):
        write_kept(path_of(tmp_path, subject.folder, name), msgspec.structs.replace(kept("10"), plan=plan))
    collect(result, [subject], places)
    assert [run.rpartition(":")[2] for run in result.runs] == [DEFAULT, "mean"]


def test_effects_against_a_default_that_is_gone_are_forgotten_also_those_of_other_seeds(tmp_path: Path) -> None:
    """Were they kept, effects against two defaults would be averaged under one name."""
    places, result = Places(runs=tmp_path), Result()
    subjects = [Subject("tiny", task, seed) for task in ("clues", "other") for seed in (0, 1)]
    for subject in subjects:
        for name in (DEFAULT, "spread"):
            write_kept(path_of(tmp_path, subject.folder, name), kept("10"))
    collect(result, subjects, places)
    assert len(result.runs) == 8
    anew = msgspec.structs.replace(kept("11"), plan="later", fingerprint="e" * 64)
    write_kept(path_of(tmp_path, subjects[0].folder, DEFAULT), anew)
    collect(result, [subjects[0]], places)
    assert set(result.runs) == {key_of("tiny", "clues", 0)} | {run for run in result.runs if ":other:" in run}
    assert not any(key.startswith("tiny:clues:s1:") for key in result.figures)


def test_effects_are_less_the_default_and_gaps_less_the_teacher() -> None:
    found = figures_of(kept("1110"), kept("1000"))
    assert found["accuracy"].value == 0.75
    assert found["effect"].value == pytest.approx(0.5)
    assert found["gap"].value == pytest.approx(-0.25)
    assert figures_of(kept("1000"), kept("1000"))["effect"].value == 0


def runs_of(effects: dict[tuple[str, int], float]) -> dict[str, Figure]:
    made = {}
    for (task, seed), value in effects.items():
        for what in ("effect", "gap", "residual"):
            figure = Figure(value=value, low=value - 0.02, high=value + 0.02, unit="share")
            made[f"{key_of('minilm', task, seed, 'mean')}:{what}"] = figure
    return made


def test_seeds_of_a_task_are_averaged_before_tasks_are() -> None:
    figures = runs_of({("a", 0): 0.01, ("a", 1): 0.03, ("b", 0): -0.02})
    over = dict(summary(figures, list(dict.fromkeys(key.rpartition(":")[0] for key in figures))))
    effect = over["minilm:mean:effect"]
    assert effect.value == pytest.approx(0.0)
    assert effect.high == pytest.approx(0.02 / 2**0.5)
    assert (over["minilm:mean:tasks"].value, over["minilm:mean:runs"].value) == (2, 3)


def test_the_table_has_a_line_for_every_variant_run_or_not() -> None:
    lines = markdown({"figures": {}, "runs": {}}).splitlines()
    assert len(lines) == 2 + len(VARIANTS)
    assert "| not run yet |" in lines[2]
    depths = [line for line in lines if line.startswith("| depth |")]
    assert sum(line.count("is the default") for line in depths) == len(TASKS)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    names = {"tiny": str(tiny.write_checkpoint(tmp_path / "tiny"))}
    names["clues"] = str(tiny.write_rows(tmp_path / "clues.jsonl", tiny.rows(150)))
    fit = {"epochs": 1, "batch_rows": 16}
    return Places(
        runs=tmp_path / "runs",
        teachers=tmp_path / "teachers",
        results=tmp_path / "results",
        image=tmp_path / "ablation.png",
        names=names,
        base={
            "teacher": {"fit": fit, "least_steps": 0},
            "students": {"count": 2, "rows": 1, "fit": fit},
            "ramps": {"fit": {"epochs": 1}},
            "transfer": {"neighbours": 0},
        },
    )


def test_a_tiny_ablation_trains_one_teacher_and_is_not_repeated(places: Places) -> None:
    options = ["--encoders", "tiny", "--tasks", "clues", "--seeds", "0"]
    path = main([*options, "--variants", "mean"], places)
    data = json.loads(path.read_text())
    assert set(data["runs"]) == {"tiny:clues:s0:default", "tiny:clues:s0:mean"}
    assert data["figures"]["tiny:clues:s0:default:effect"]["value"] == 0
    assert data["figures"]["tiny:mean:tasks"]["value"] == 1
    assert places.image.read_bytes().startswith(b"\x89PNG")
    assert len(list(places.teachers.iterdir())) == 1
    assert not list(places.runs.glob("*/*/manifest.json"))
    first = read_kept(path_of(places.runs, "tiny-clues-0", "default"))
    main([*options, "--variants", "residual"], places)
    assert read_kept(path_of(places.runs, "tiny-clues-0", "default")) == first
    assert "default is up to date" in (places.runs / "tiny-clues-0.log").read_text()
    assert set(json.loads(path.read_text())["runs"]) == {*data["runs"], "tiny:clues:s0:residual"}


def test_an_unknown_variant_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str], places: Places) -> None:
    with pytest.raises(SystemExit):
        main(["--variants", "wider"], places)
    assert "--variants: no variant 'wider'; there are default, residual" in capsys.readouterr().err
