"""The settings that differ from the defaults, by encoder and task, with the reason for each."""

from __future__ import annotations

from typing import Final

from bench.accuracy.subjects import Subject

ENCODERS: Final[dict[str, dict[str, str]]] = {
    # Half of the teacher's rows: deeper students rather than more of them, which has to pay where tasks are hard. Three
    # teachers, which are those of the three seeds, so that their mean costs answers but no training.
    "minilm": {"teacher.count": "3", "students.count": "3", "students.rows": "3"},
    # A third of twelve rows. A pass costs several of MiniLM's, so there are fewer of them, and less text.
    "mpnet": {
        "teacher.count": "3",
        "students.count": "2",
        "students.rows": "4",
        "students.fit.epochs": "1",
        "transfer.neighbours": "2",
    },
}
TASKS: Final[dict[str, dict[str, str]]] = {
    # So many training rows need fewer made-up ones, and each costs a pass.
    "tweet-sentiment": {"transfer.neighbours": "1"},
}


def recipe(subject: Subject) -> dict[str, str]:
    """Values by the path of the setting."""
    return {**ENCODERS.get(subject.encoder, {}), **TASKS.get(subject.task, {})}
