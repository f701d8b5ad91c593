"""The settings that differ from the defaults, by encoder and task, with the reason for each."""

from __future__ import annotations

from typing import Final

from bench.accuracy.subjects import Subject

ENCODERS: Final[dict[str, dict[str, str]]] = {
    # Half of the teacher's rows: deeper students rather than more of them, which has to pay where tasks are hard. Three
    # teachers, which are those of the three seeds, so that their mean costs answers but no training. The rate is the
    # default's for this width, written out so that recorded runs stay this recipe's whatever the default becomes.
    "minilm": {
        "teacher.count": "3",
        "students.count": "3",
        "students.rows": "3",
        "students.fit.learning_rate": "5e-4",
    },
    # Twice as wide, which asks for a lower rate: at the default's, students stay far from their teacher. A pass costs
    # eight of MiniLM's, so there is less text, and all seeds have the same.
    "mpnet": {
        "teacher.count": "3",
        "students.count": "2",
        "students.rows": "6",
        "students.fit.learning_rate": "1e-4",
        "transfer.neighbours": "2",
        "transfer.seed": "0",
    },
}
TASKS: Final[dict[str, dict[str, str]]] = {
    # So many training rows need fewer made-up ones, and each costs a pass.
    "tweet-sentiment": {"transfer.neighbours": "1"},
}
BOTH: Final[dict[tuple[str, str], dict[str, str]]] = {
    # Questions are short and say what they ask for: fewer rows tell.
    ("mpnet", "trec50"): {"students.rows": "4"},
}


def recipe(subject: Subject) -> dict[str, str]:
    """Values by the path of the setting."""
    both = BOTH.get((subject.encoder, subject.task), {})
    return {**ENCODERS.get(subject.encoder, {}), **TASKS.get(subject.task, {}), **both}
