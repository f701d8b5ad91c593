"""One Job: fetch what is elsewhere, distil, put the artifact where it is wanted. It may be begun again at any time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from phalanx_contract.distillation import REFUSED, Ending, Outcome, Task
from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings, parse_settings
from phalanx_distill.errors import DataError, DistillError, OutputError, StoreError
from phalanx_distill.job import places
from phalanx_distill.pipeline import distill
from phalanx_distill.progress import Reporter
from phalanx_distill.report.document import Report
from phalanx_distill.sources import Sources, find_checkpoint, find_rows
from phalanx_grid import GridError, read_manifest

OUTCOME: Final = "outcome.json"
"""In a store, beside the artifact: a Job that is begun again finds that all is done."""
FAILED: Final = 1


def run(task: Task, *, claims_dir: Path, device: str, report: Reporter) -> Outcome:
    """Distil, or find that it was done before.

    Raises:
        DistillError, GridError: teacher, rows, settings or output cannot be used.
        OSError: a disk is full, or does not answer.
    """
    settings = parse_settings(DistillSettings, task.settings)
    target = places.on_disk(task.output, claims_dir)
    if target is not None:
        return _outcome(task, target, _distilled(task, settings, target, claims_dir, device, report))
    done = _done(task.output)
    if done is not None:
        report.say(f"{task.output} is up to date")
        return done
    with _work_folder(task, claims_dir) as folder:
        outcome = _outcome(task, folder, _distilled(task, settings, folder, claims_dir, device, report))
        report.say(f"writing {task.output}")
        places.put(folder, task.output)
        # By itself and last: what it tells of is there then.
        (folder / OUTCOME).write_bytes(msgspec.json.encode(outcome))
        places.put_file(folder / OUTCOME, f"{task.output}/{OUTCOME}")
        places.remove(folder)
    return outcome


def ending_of(error: BaseException) -> tuple[Ending, int]:
    """What a failed run says, and its exit code: REFUSED where another try would meet the same. Pure."""
    if isinstance(error, OutputError | StoreError):
        return Ending(error=_line(error)), FAILED
    if isinstance(error, DistillError | GridError):
        return Ending(error=_line(error)), REFUSED
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Ending(error="no memory is left; ask for more in spec.distill.resources"), FAILED
    if isinstance(error, OSError) and error.strerror:
        return Ending(error=f"{error.filename}: {error.strerror}" if error.filename else error.strerror), FAILED
    return Ending(error=f"{type(error).__name__}: {_line(error)}"), FAILED


def _distilled(
    task: Task, settings: DistillSettings, out: Path, claims_dir: Path, device: str, report: Reporter
) -> Report:
    with tempfile.TemporaryDirectory() as fetched:
        into = Path(fetched)
        teacher = places.fetched_folder(task.teacher, claims_dir=claims_dir, into=into / "teacher")
        data = places.fetched_file(task.data, claims_dir=claims_dir, into=into / "data")
        sources = Sources(
            teacher=find_checkpoint(teacher),
            rows=find_rows(data, text_column=task.text_column, label_column=task.label_column),
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        return distill(
            sources,
            settings,
            out=out,
            compute=Compute.of(device),
            report=report,
            # The folder's name is made from the task: what lies there came of the same one.
            force=True,
            # One that is being evicted, or whose node is only cut off, may hold the folder for a while.
            waiting=lambda: report.say("waiting for the pod before to end"),
        )


def _outcome(task: Task, folder: Path, report: Report) -> Outcome:
    manifest, digest = read_manifest(folder)
    accuracy, agreement = report.measured.accuracy, report.measured.teacher_agreement
    return Outcome(
        uri=task.output,
        digest=digest,
        students=len(accuracy.by_k),
        rows=manifest.geometry.rows,  # type: ignore[union-attr]
        accuracy=accuracy.by_k[-1].accuracy,
        teacher_accuracy=accuracy.teacher.accuracy if accuracy.teacher is not None else None,
        agreement=agreement[-1] if agreement else None,
        seconds=sum(report.seconds.values()),
    )


def _done(uri: str) -> Outcome | None:
    """What an earlier run put into a store and told of; None if there is nothing whole.

    Raises:
        StoreError: it does not answer. To train for hours what may be there would be no way out.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = places.fetched_file(f"{uri}/{OUTCOME}", claims_dir=Path(), into=Path(folder))
            return msgspec.json.decode(Path(file).read_bytes(), type=Outcome)
        except (DataError, msgspec.DecodeError, UnicodeDecodeError):
            return None


@contextmanager
def _work_folder(task: Task, claims_dir: Path) -> Iterator[Path]:
    """Where an artifact for a store is made: on the claim of the task, or in the pod, whose end it does not outlive."""
    name = task.output.rstrip("/").rsplit("/", 1)[-1]
    kept = places.on_disk(task.work, claims_dir) if task.work else None
    if kept is not None:
        yield kept / name
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / name


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
