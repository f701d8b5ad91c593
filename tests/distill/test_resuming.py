"""A run that was interrupted goes on where it stopped and gives what an unbroken one gives."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from phalanx_distill.errors import OutputError
from phalanx_distill.lock import locked
from phalanx_distill.pipeline import distill
from phalanx_distill.progress import Silent
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.taught import taught
from phalanx_distill.teacher import train_teacher
from phalanx_distill.teachers import kept, teach, teacher_seeds, untaught
from phalanx_grid import read_manifest, verify_artifact
from tests.distill import tiny


class StopAt:
    """A reporter that ends the run after so many steps of training, as Ctrl-C would."""

    def __init__(self, steps: int) -> None:
        self.steps_left = steps

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        self.steps_left -= done

        def advance(steps: int = 1, note: str = "") -> None:
            self.steps_left -= steps
            if self.steps_left <= 0:
                raise KeyboardInterrupt

        yield advance

    def say(self, line: str) -> None:
        return


def trained_teacher(folder: Path, interrupts: list[int]) -> dict[str, torch.Tensor]:
    for steps in interrupts:
        run = tiny.tiny_run(folder, report=StopAt(steps))
        with pytest.raises(KeyboardInterrupt):
            teach(run, *untaught(run, run.settings.seed))
    run = tiny.tiny_run(folder)
    grid, tokenizer = untaught(run, run.settings.seed)
    teach(run, grid, tokenizer)
    assert [epoch.epoch for epoch in run.curves["teacher"]] == list(range(run.settings.teacher.fit.epochs))
    return grid.state_dict()


# An epoch has 18 steps: within the first, within the third, and twice.
@pytest.mark.parametrize("interrupts", [[5], [50], [30, 60]])
def test_a_fit_that_was_interrupted_ends_with_the_same_parameters(tmp_path: Path, interrupts: list[int]) -> None:
    expected = trained_teacher(tmp_path / "unbroken", [])
    found = trained_teacher(tmp_path / "broken", interrupts)
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


def test_a_finished_fit_is_read_back_and_not_trained_again(tmp_path: Path) -> None:
    expected = trained_teacher(tmp_path, [])
    run = tiny.tiny_run(tmp_path, report=StopAt(1))  # any step of training would raise
    grid, tokenizer = untaught(run, run.settings.seed)
    teach(run, grid, tokenizer)
    assert all(torch.equal(expected[name], tensor) for name, tensor in grid.state_dict().items())


def command(folder: Path, out: str) -> list[str]:
    teacher, rows = folder / "teacher", folder / "rows.jsonl"
    options = ["--students", "2", "--rows", "1", "--device", "cpu"]
    chosen = {
        "teacher.fit.epochs": 3,
        "teacher.fit.learning_rate": 0.01,
        "students.fit.epochs": 12,
        "students.fit.batch_rows": 4,
        "ramps.fit.epochs": 2,
        "transfer.neighbours": 1,
    }
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
    paths = ["--teacher", str(teacher), "--data", str(rows), "--out", str(folder / out)]
    return [sys.executable, "-m", "phalanx_cli", "distill", *paths, *options, *sets]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def wait_for(process: subprocess.Popen[bytes], reached: Callable[[], bool], deadline_s: float = 120) -> None:
    end = time.monotonic() + deadline_s
    while not reached():
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < end, "the run did not come so far"
        time.sleep(0.01)


def test_a_killed_process_goes_on_and_makes_the_same_artifact(tmp_path: Path) -> None:
    tiny.write_checkpoint(tmp_path / "teacher")
    tiny.write_rows(tmp_path / "rows.jsonl", tiny.rows())
    broken = subprocess.Popen(command(tmp_path, "broken"), env=environment(), stdout=subprocess.DEVNULL)
    wait_for(broken, lambda: any((tmp_path / "broken.work").glob("*/student-0.safetensors")))
    broken.kill()
    broken.wait()
    assert not (tmp_path / "broken").exists()

    def finish(out: str) -> str:
        done = subprocess.run(command(tmp_path, out), env=environment(), capture_output=True, text=True, check=True)
        return done.stdout

    said = finish("broken")
    assert "going on with what" in said
    assert "teacher: done" not in said
    finish("unbroken")
    broken_manifest, broken_digest = verify_artifact(tmp_path / "broken")
    assert (broken_manifest, broken_digest) == read_manifest(tmp_path / "unbroken")
    assert not (tmp_path / "broken.work").exists()
    before = (tmp_path / "broken" / "manifest.json").stat().st_mtime_ns
    assert "is up to date" in finish("broken")
    assert (tmp_path / "broken" / "manifest.json").stat().st_mtime_ns == before


def test_ctrl_c_says_how_to_go_on_and_leaves_with_130(tmp_path: Path) -> None:
    tiny.write_checkpoint(tmp_path / "teacher")
    tiny.write_rows(tmp_path / "rows.jsonl", tiny.rows())
    run = subprocess.Popen(
        command(tmp_path, "out"), env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    wait_for(run, lambda: any((tmp_path / "out.work").rglob("teacher.safetensors")))
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.decode().strip() == "interrupted; give the same command again to go on"


HOLDER = """
import sys, time
from pathlib import Path
from phalanx_distill.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_a_second_run_with_the_same_output_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    sources, out = tiny.sources(tmp_path / "teacher"), tmp_path / "out"

    def run() -> object:
        return distill(sources, tiny.settings(), out=out, compute=tiny.cpu(), report=StopAt(1))

    with held_by_another(tmp_path / "out.work"):
        with pytest.raises(OutputError, match=r"out\.work\.lock is held by another run"):
            run()
        assert not (tmp_path / "out.work").exists()
    with pytest.raises(KeyboardInterrupt):  # killed, it holds nothing any more: training starts
        run()
    assert not (tmp_path / "out.work.lock").exists()


def test_a_run_that_waited_for_the_same_one_takes_its_result_and_trains_nothing(tmp_path: Path) -> None:
    sources, out, made = tiny.sources(tmp_path / "teacher"), tmp_path / "out", tmp_path / "made"
    first = distill(sources, tiny.settings(), out=made, compute=tiny.cpu(), report=Silent())
    with held_by_another(tmp_path / "out.work") as holder:

        def waiting() -> None:
            made.rename(out)
            holder.kill()

        trains = StopAt(1)  # any step of training would raise
        again = distill(sources, tiny.settings(), out=out, compute=tiny.cpu(), report=trains, waiting=waiting)
    assert again.digest == first.digest
    verify_artifact(out, first.digest)
    assert not (tmp_path / "out.work").exists()


def test_a_run_waits_while_another_trains_the_teacher_that_they_share(tmp_path: Path) -> None:
    shared, said = tmp_path / "teachers" / "abc", list[str]()
    with held_by_another(shared) as holder:

        def waiting() -> None:
            said.append("waiting")
            holder.kill()

        with locked(shared, waiting=waiting):
            assert holder.wait() < 0
    assert said == ["waiting"]
    assert not list(shared.parent.iterdir())


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    with locked(tmp_path / "x"):
        (tmp_path / "x.lock").unlink()
        with locked(tmp_path / "x"), pytest.raises(OutputError), locked(tmp_path / "x"):
            pass


def test_a_disk_that_knows_no_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    says = r"x\.lock cannot be locked: No locks available; choose a folder on another disk"
    with pytest.raises(OutputError, match=says), locked(tmp_path / "x"):
        pass


def test_what_others_keep_in_a_shared_folder_stays(tmp_path: Path) -> None:
    other = Stages(tmp_path, "a" * 64)
    other.open(shared=True)
    other.save("teacher", {"t": torch.zeros(1)}, {})
    Stages(tmp_path, "b" * 64).open(shared=True)
    assert other.load("teacher") is not None


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """No file can become larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_snapshot_without_room_is_refused_and_the_one_before_stays(tmp_path: Path) -> None:
    stages = Stages(tmp_path, "a" * 64)
    stages.open()
    stages.save("x", {"t": torch.zeros(10)}, {"epoch": 1})
    says = r"x\.safetensors cannot be written: .*; make room for it, then give the same command again to go on"
    with room_for(100_000), pytest.raises(OutputError, match=says):
        stages.save("x", {"t": torch.zeros(100_000)}, {"epoch": 2})
    before = stages.load("x")
    assert before is not None
    assert before.state == {"epoch": 1}


def test_a_snapshot_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages, synced = Stages(tmp_path, "a" * 64), dict[int, bool]()
    stages.open()
    path = stages.folder / "x.safetensors"
    monkeypatch.setattr("os.fsync", lambda file: synced.update({os.fstat(file.fileno()).st_ino: path.exists()}))
    stages.save("x", {"t": torch.zeros(10)}, {})
    assert synced == {path.stat().st_ino: False}


def test_what_a_killed_process_was_writing_is_cleared_away(tmp_path: Path) -> None:
    stages = Stages(tmp_path, "a" * 64)
    stages.open(shared=True)
    stages.save("x", {"t": torch.zeros(10)}, {})
    for torn in ("x.safetensors.part", ".tmpK3x9aQ"):
        (stages.folder / torn).write_bytes(b"torn")
    stages.open(shared=True)
    assert [path.name for path in stages.folder.iterdir()] == ["x.safetensors"]


def test_a_torn_snapshot_counts_as_none(tmp_path: Path) -> None:
    stages = Stages(tmp_path, "a" * 64)
    stages.open()
    stages.save("x", {"t": torch.arange(1000.0)}, {"n": 1})
    path = stages.folder / "x.safetensors"
    snapshot = stages.load("x")
    assert snapshot is not None
    assert snapshot.state == {"n": 1}
    path.write_bytes(path.read_bytes()[:-100])
    assert stages.load("x") is None


def test_another_fingerprint_starts_afresh_and_drops_what_the_old_one_left(tmp_path: Path) -> None:
    old = Stages(tmp_path, "a" * 64)
    assert not old.open()
    old.save("x", {"t": torch.zeros(1)}, {})
    (tmp_path / "notes.txt").write_text("not ours")
    assert Stages(tmp_path, "a" * 64).open()
    new = Stages(tmp_path, "b" * 64)
    assert not new.open()
    assert new.load("x") is None
    assert not old.folder.exists()
    new.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_fingerprint_sees_every_part_and_no_order() -> None:
    assert fingerprint(a=1, b={"x": 1, "y": 2}) == fingerprint(b={"y": 2, "x": 1}, a=1)
    assert fingerprint(a=1) != fingerprint(a=2)


def test_a_setting_that_came_later_and_does_nothing_unless_given_leaves_finished_runs_what_they_were() -> None:
    before = {"max_texts": 60_000, "sources": []}
    assert fingerprint(settings={"transfer": {**before, "seed": None}}) == fingerprint(settings={"transfer": before})
    assert fingerprint(settings={"transfer": {**before, "seed": 0}}) != fingerprint(settings={"transfer": before})
    assert fingerprint(settings=(1, {"seed": None})) == fingerprint(settings=(1, {}))


@pytest.mark.parametrize(("transfer_seed", "texts"), [(None, 2), (5, 1)])
def test_runs_that_share_the_seed_of_their_made_up_text_share_the_teachers_answers(
    transfer_seed: int | None, texts: int, tmp_path: Path
) -> None:
    sources, shelf = tiny.sources(tmp_path / "teacher"), tmp_path / "teachers"
    quick = {"teacher": {**tiny.QUICK["teacher"], "count": 2}, "transfer": {"neighbours": 1, "seed": transfer_seed}}
    for seed in (0, 1):
        out = tmp_path / f"out-{seed}"
        distill(
            sources, tiny.settings(**quick, seed=seed), out=out, compute=tiny.cpu(), report=Silent(), teachers=shelf
        )
    heard = [len(list(folder.glob("answers-transfer-*.safetensors"))) for folder in shelf.iterdir()]
    assert heard == [texts, texts]


def test_several_teachers_are_shared_by_runs_with_neighbouring_seeds_and_taught_as_their_mean(tmp_path: Path) -> None:
    """Each run cuts its students from another teacher, and all learn the mean of the same two."""
    sources, shelf = tiny.sources(tmp_path / "teacher"), tmp_path / "teachers"
    quick = {**tiny.QUICK["teacher"], "count": 2}
    reports = [
        distill(
            sources,
            tiny.settings(teacher=quick, seed=seed),
            out=tmp_path / f"out-{seed}",
            compute=tiny.cpu(),
            report=Silent(),
            teachers=shelf,
        )
        for seed in (2, 3)
    ]
    assert len(list(shelf.iterdir())) == 2
    first, second = (report.notes.teachers for report in reports)
    assert [note.seed for note in first] == [2, 3]
    assert [note.seed for note in second] == [3, 2]
    assert first[0].accuracy == second[1].accuracy
    assert reports[0].notes.together == reports[1].notes.together
    for report in reports:
        assert report.measured.accuracy.teacher == report.notes.teachers[0].accuracy
        assert {"teacher", "teacher-2"} <= report.curves.keys()


@pytest.mark.parametrize(("seed", "count"), [(0, 1), (7, 1), (0, 3), (2, 3), (7, 4)])
def test_teachers_seeds_start_with_the_runs_and_are_the_same_for_its_neighbours(seed: int, count: int) -> None:
    def seeds(of: int) -> list[int]:
        return teacher_seeds(tiny.settings(seed=of, teacher={"count": count}))

    assert seeds(seed)[0] == seed
    neighbours = range(seed - seed % count, seed - seed % count + count)
    assert all(sorted(seeds(other)) == list(neighbours) for other in neighbours)


def test_the_mean_of_teachers_is_what_students_learn(tmp_path: Path) -> None:
    run = tiny.tiny_run(tmp_path, tiny.settings(teacher={**tiny.QUICK["teacher"], "count": 2}))
    transfer, validation = teach(run, *untaught(run, run.settings.seed))
    alone = []
    for seed in (1, 0):
        single = tiny.tiny_run(tmp_path / str(seed), tiny.settings(seed=seed))
        with kept(single, seed) as stages:
            grid, tokenizer = untaught(single, seed)
            train_teacher(single, grid, tokenizer, seed=seed, stages=stages)
            alone.append(
                tuple(
                    taught(single, name, grid, each.corpus, stages=stages).logits
                    for name, each in (("transfer", transfer), ("validation", validation))
                )
            )
    for each, ours in zip((transfer, validation), zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(each.logits, (ours[0] + ours[1]) / 2)


def test_a_kept_teacher_serves_runs_with_other_students(tmp_path: Path) -> None:
    sources, teachers = tiny.sources(tmp_path / "teacher"), tmp_path / "teachers"

    def kept_after(out: str, **changes: object) -> dict[Path, int]:
        chosen = tiny.settings(**changes)
        distill(sources, chosen, out=tmp_path / out, compute=tiny.cpu(), report=Silent(), teachers=teachers)
        return {path: path.stat().st_mtime_ns for path in teachers.glob("*/*")}

    first = kept_after("one")
    assert {path.name.partition("-")[0] for path in first} == {"teacher.safetensors", "answers"}
    assert kept_after("two", students={**tiny.QUICK["students"], "count": 1}) == first
    assert kept_after("three", seed=1).items() > first.items()
    assert len(list(teachers.iterdir())) == 2
