"""Whether the teacher brings a head that answers the rows' labels, what is said of it, and what needs one.

A head is taken over by the names of its outputs and by nothing else: their order says nothing about which of the rows'
labels they stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from phalanx_distill.config import TeacherSettings
from phalanx_distill.errors import SettingError
from phalanx_distill.noting import warn
from phalanx_distill.run import Run
from phalanx_distill.sources import Checkpoint

_MOST_NAMES: Final = 8


def head_mark(teacher: Checkpoint, labels: Sequence[str]) -> dict[str, Any]:
    """What a head adds to a fingerprint: which output answers which label. config.json has a say in it."""
    return {} if teacher.head is None else {"head": teacher.head.order(labels)}


def head_kept(teacher: Checkpoint, labels: Sequence[str]) -> bool:
    """Whether training starts from the checkpoint's own head."""
    return teacher.head is not None and teacher.head.order(labels) is not None


def why_fresh(teacher: Checkpoint, labels: Sequence[str]) -> str:
    """Why the head is a new one: both sets of names, and how to make them one."""
    if teacher.head is None:
        return f"{teacher.name} brings no head"
    called = _named(teacher.head.labels) if teacher.head.labels else "not named by id2label"
    return (
        f"the {teacher.head.classes} outputs of {teacher.name}'s head are {called}, the {len(labels)} labels of the "
        f"rows {_named(labels)}; to keep the head give both the same names, by id2label in config.json or in the rows"
    )


def check_head(settings: TeacherSettings, teacher: Checkpoint, labels: Sequence[str]) -> None:
    """Raises SettingError if a teacher that is taken as it is does not know the labels, or is to be several."""
    if settings.fit.epochs:
        return
    if not head_kept(teacher, labels):
        message = "0 takes the teacher as it is, and an untrained head knows nothing; take 1 or more"
        raise SettingError("teacher.fit.epochs", f"{message}: {why_fresh(teacher, labels)}")
    if settings.count > 1:
        raise SettingError("teacher.count", f"{settings.count}, but without training (epochs 0) all are one; take 1")


def tell_head(run: Run) -> None:
    """Say what becomes of a head that the checkpoint brings."""
    teacher, labels = run.sources.teacher, run.prepared.parts.labels
    if head_kept(teacher, labels):
        further = ", and is trained further; teacher.fit.epochs=0 takes the teacher as it is"
        trained = bool(run.settings.teacher.fit.epochs)
        run.report.say(f"the head of {teacher.name} is kept: it answers the rows' labels{further if trained else ''}")
    elif teacher.head is not None:
        warn(run, f"the teacher gets a new head: {why_fresh(teacher, labels)}")


def _named(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_NAMES
    return ", ".join(labels[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
