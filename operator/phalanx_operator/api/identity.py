"""What makes two distillations the same. Pure.

A *mark* stands for all that decides a result: the same mark is distilled once. A Job's name stands for that and for how
its pod is to be: other resources after a failure are another Job, which goes on from the first one's snapshots.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from phalanx_contract.distillation import Task
from phalanx_operator.api.types import Distill, Key, StudentEnsemble

_MARK_DIGITS: Final = 16
_NAME_DIGITS: Final = 10
"""With the hyphen, what `limits.MAX_NAME` leaves room for."""


def mark_of(key: Key, distill: Distill) -> str:
    """16 hex digits over ensemble and task."""
    return _hash(str(key), distill.task)[:_MARK_DIGITS]


def job_name(ensemble: StudentEnsemble, distill: Distill) -> str:
    """The name of the Job that an ensemble wants. It runs in its pool, so another pool means another Job."""
    return f"{ensemble.meta.key.name}-{_hash(str(ensemble.meta.key), ensemble.pool, distill)[:_NAME_DIGITS]}"


def task_of(key: Key, distill: Distill) -> Task:
    """The task of the Job: its output is a folder of the result's own."""
    return msgspec.structs.replace(distill.task, output=f"{distill.task.output}/{key.name}-{mark_of(key, distill)}")


def _hash(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()
