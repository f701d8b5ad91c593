"""The accuracy benchmark keeps what it has, goes on where it was stopped, and tells what is not run yet."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replaced

from bench.accuracy.command import Places, main
from bench.accuracy.merging import Result, over_seeds, over_tasks, read_result, summary, today
from bench.accuracy.origin import common, origin_of
from bench.accuracy.processes import Job, run_jobs
from bench.accuracy.recipe import recipe
from bench.accuracy.subjects import SEEDS, TASKS, Subject, subjects
from bench.accuracy.table import markdown
from bench.record import Figure, write
from tests.distill import tiny
from tests.distill.reports import ensemble_report


def share(value: float, spread: float = 0.0) -> Figure:
    return Figure(value=value, low=value - spread, high=value + spread, unit="share")


def found(difference: float, students: int = 2) -> dict[str, Figure]:
    """The figures of a run whose all students differ so much from the teacher."""
    by_k = {f"k{k}:difference": share(difference if k == students else -0.1, 0.02) for k in range(1, students + 1)}
    accuracy = {f"k{k}:accuracy": share(0.9, 0.01) for k in range(1, students + 1)}
    counts = {name: Figure(value=students, low=students, high=students, unit="x") for name in ("students", "rows")}
    return {**by_k, **accuracy, **counts, "teacher": share(0.91, 0.01), "held_out": share(1000)}


def test_every_task_has_a_first_seed_before_any_has_its_second() -> None:
    planned = subjects()
    assert len(planned) == len(SEEDS) * sum(map(len, TASKS.values()))
    assert [subject.seed for subject in planned] == sorted(subject.seed for subject in planned)
    assert planned[0] == Subject("minilm", "movie", 0)
    assert [subject.key for subject in subjects(tasks=["movie"], seeds=[1])] == ["minilm:movie:s1", "mpnet:movie:s1"]


def test_the_recipe_of_a_task_overrules_its_encoders() -> None:
    assert recipe(Subject("mpnet", "tweet-sentiment", 0))["transfer.neighbours"] == "1"
    deep, shallow = (recipe(Subject("mpnet", task, 0))["students.rows"] for task in ("movie", "trec50"))
    assert int(shallow) < int(deep)
    assert recipe(Subject("other", "movie", 0)) == {}


def test_means_over_seeds_are_as_wide_as_one_and_over_tasks_narrower() -> None:
    mean = over_seeds([share(0.01, 0.02), share(0.03, 0.02)])
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.02, 0.0, 0.04))
    whole = over_tasks({"movie": share(0.01, 0.03), "nyt": share(0.03, 0.04)})
    assert (whole.value, whole.low, whole.high) == pytest.approx((0.02, -0.005, 0.045))


def test_two_tasks_of_the_same_rows_are_no_surer_than_one() -> None:
    same = over_tasks({"trec6": share(0.01, 0.03), "trec50": share(0.03, 0.03)})
    assert (same.value, same.low, same.high) == pytest.approx((0.02, -0.01, 0.05))


def test_the_summary_speaks_of_all_students_and_of_one() -> None:
    figures = {f"a:x:s{seed}:{name}": f for seed in (0, 1) for name, f in found(0.01 * seed, 2 + seed).items()}
    over = dict(summary(figures, ["a:x:s0", "a:x:s1"]))
    assert over["a:x:all:difference"].value == pytest.approx(0.005)
    assert (over["a:x:all:seeds"].low, over["a:x:all:seeds"].high) == (0.0, 0.01)
    assert over["a:x:one:difference"].value == pytest.approx(-0.1)
    assert over["a:worst:one"].value == pytest.approx(-0.1)
    assert over["a:mean:difference"] == over["a:x:all:difference"]


def known(result: Result, key: str, figures: dict[str, Figure], fingerprint: str, settings: str = "same") -> bool:
    return result.add(key, figures, fingerprint=fingerprint, settings=settings, commit="new")


def test_a_run_that_is_known_keeps_its_commit_and_date_and_another_takes_its_place() -> None:
    result = Result(runs={"a:x:s0": {"fingerprint": "f", "commit": "old", "date": "2001-01-01"}})
    assert not known(result, "a:x:s0", found(0.0), "f")
    assert result.runs["a:x:s0"] == {
        "fingerprint": "f", "commit": "old", "date": "2001-01-01", "settings": "same",
    }  # fmt: skip
    assert known(result, "a:x:s0", found(0.0, 3), "g")
    assert known(result, "a:x:s0", found(0.0, 2), "h")
    assert result.runs["a:x:s0"]["commit"] == "new"
    assert "a:x:s0:k3:difference" not in result.figures


def test_a_run_that_is_known_gets_the_figures_that_came_to_the_benchmark_since() -> None:
    result = Result()
    known(result, "a:x:s0", found(0.0), "f")
    assert not known(result, "a:x:s0", found(0.0) | {"together": share(0.93)}, "f")
    assert result.figures["a:x:s0:together"] == share(0.93)


def test_seeds_of_other_settings_are_never_averaged() -> None:
    result = Result()
    for seed in (0, 1):
        known(result, f"a:x:s{seed}", found(0.0), f"f{seed}", "old")
    known(result, "a:y:s0", found(0.0), "g", "other")
    assert known(result, "a:x:s2", found(0.0), "f2", "new")
    assert set(result.runs) == {"a:x:s2", "a:y:s0"}
    assert not any(key.startswith(("a:x:s0", "a:x:s1")) for key in result.figures)


def test_what_seeds_have_in_common_is_all_but_the_seed() -> None:
    report = ensemble_report()
    assert common(replaced(report, settings={**report.settings, "seed": 8})) == common(report)
    assert common(replaced(report, settings={**report.settings, "max_tokens": 8})) != common(report)
    assert common(replaced(report, data=replaced(report.data, sha256="0" * 64))) != common(report)


def test_a_run_is_of_the_commit_that_it_was_started_at_however_often_it_is_seen_again(tmp_path: Path) -> None:
    report, path = ensemble_report(), tmp_path / "a-x-0.origin.json"
    first = origin_of(path, report, "first")
    assert (first.commit, first.date) == ("first", today())
    assert origin_of(path, report, "second") == first
    anew = replaced(report, fingerprint="e" * 64)
    assert origin_of(path, anew, "third").commit == "third"
    path.write_text("no JSON")
    assert origin_of(path, anew, "fourth").commit == "fourth"


def test_the_table_tells_whom_students_learned_from() -> None:
    result = Result()
    known(result, "minilm:movie:s0", found(0.0) | {"together": share(0.93), "teachers": share(3)}, "f")
    known(result, "minilm:trec6:s0", found(0.0), "g")
    figures = {key: vars_of(figure) for key, figure in result.summarised(summary).items()}
    lines = markdown({"figures": figures, "runs": result.runs}).splitlines()
    assert any("mean of 3 teachers, 0.930" in line for line in lines if "| movie |" in line)
    assert any("| the teacher |" in line for line in lines if "| trec6 |" in line)
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_trials_are_kept_apart_from_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.accuracy.command.ROOT", tmp_path)
    path = main(["--seeds", "", "--students", "2"])
    assert path == tmp_path / ".cache" / "bench" / "trials" / "accuracy.json"


def test_the_table_says_what_is_not_run_yet() -> None:
    result = Result()
    known(result, "minilm:movie:s0", found(-0.004), "f")
    figures = {key: vars_of(figure) for key, figure in result.summarised(summary).items()}
    lines = markdown({"figures": figures, "runs": result.runs}).splitlines()
    movie = next(line for line in lines if line.startswith("| minilm | movie |"))
    assert "**-0.4 (-2.4 to +1.6)**" in movie
    assert "1 of 3" in movie
    mean = next(line for line in lines if line.startswith(f"| minilm | mean of 1 of {len(TASKS['minilm'])} tasks |"))
    assert "the worst run -10.0 (-12.0 to -8.0)" in mean
    assert mean.count("|") == lines[0].count("|")
    assert sum("not run yet" in line for line in lines) == sum(map(len, TASKS.values())) - 1


def vars_of(figure: Figure) -> dict[str, object]:
    return {name: getattr(figure, name) for name in ("value", "low", "high", "unit")}


WAITING = """
import sys, time
try:
    open(sys.argv[1], "w").close()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def sleeper(tmp_path: Path, name: str, code: str) -> Job[str]:
    return Job(name, (sys.executable, "-c", code), tmp_path / f"{name}.log")


def test_jobs_end_in_any_order_and_tell_their_exit_codes(tmp_path: Path) -> None:
    jobs = [sleeper(tmp_path, f"j{code}", f"print('said'); raise SystemExit({code})") for code in range(3)]
    ended = {each.job.of: each.code for each in run_jobs(jobs, at_once=2)}
    assert ended == {"j0": 0, "j1": 1, "j2": 2}
    assert (tmp_path / "j0.log").read_text() == "said\n"


def test_when_the_time_is_up_running_jobs_are_interrupted_and_no_more_start(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    first = Job("first", (sys.executable, "-c", WAITING, str(mark)), tmp_path / "first.log")
    clock = clock_of(mark)
    assert list(run_jobs([first, sleeper(tmp_path, "second", "")], at_once=1, until=1.0, clock=clock)) == []
    assert (tmp_path / "first.log").read_text() == "interrupted\n"
    assert not (tmp_path / "second.log").exists()


def clock_of(mark: Path) -> Callable[[], float]:
    """A clock that stands still until the job runs."""
    deadline = time.monotonic() + 60

    def clock() -> float:
        assert time.monotonic() < deadline
        return 2.0 if mark.exists() else 0.0

    return clock


@pytest.fixture
def places(tmp_path: Path) -> Places:
    names = {"tiny": str(tiny.write_checkpoint(tmp_path / "tiny"))}
    names["clues"] = str(tiny.write_rows(tmp_path / "clues.jsonl", tiny.rows()))
    cache = tmp_path / "cache"
    return Places(
        runs=cache / "runs",
        teachers=cache / "teachers",
        students=cache / "students",
        results=tmp_path / "results",
        image=tmp_path / "accuracy.png",
        names=names,
    )


def test_a_tiny_run_is_measured_recorded_drawn_and_not_repeated(places: Places) -> None:
    quick = {"teacher.fit.epochs": 2, "teacher.least_steps": 0, "students.fit.epochs": 1, "ramps.fit.epochs": 1}
    options = ["--encoders", "tiny", "--tasks", "clues", "--seeds", "0", "--students", "2", "--rows", "1"]
    options += [part for name, value in quick.items() for part in ("--set", f"{name}={value}")]
    path = main(options, places)
    data = json.loads(path.read_text())
    assert data["name"] == "accuracy"
    assert set(data["runs"]) == {"tiny:clues:s0"}
    keys = set(data["figures"])
    assert {"tiny:clues:s0:teacher", "tiny:clues:s0:k2:difference", "tiny:clues:all:difference"} <= keys
    for figure in data["figures"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert places.image.read_bytes().startswith(b"\x89PNG")
    data["runs"]["tiny:clues:s0"]["commit"] = "earlier"
    path.write_text(json.dumps(data))
    main(options, replace(places))
    assert read_result(path).runs["tiny:clues:s0"]["commit"] == "earlier"
    assert "is up to date" in (places.runs / "tiny-clues-0.log").read_text()


def test_a_run_that_fails_is_named_and_what_was_known_stays(places: Places) -> None:
    result = Result()
    known(result, "minilm:movie:s0", found(0.0), "f")
    write("accuracy", result.summarised(summary), folder=places.results, runs=result.runs)
    with pytest.raises(SystemExit, match="failed: tiny:nowhere:s0; their logs are in"):
        main(["--encoders", "tiny", "--tasks", "nowhere", "--seeds", "0"], places)
    assert set(read_result(places.results / "accuracy.json").runs) == {"minilm:movie:s0"}
