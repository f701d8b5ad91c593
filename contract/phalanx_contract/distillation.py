"""A distillation Job: what the operator asks of its pod, and what the pod says.

The task goes in by a variable. While it runs, the pod answers `GET PROGRESS_PATH`; how it ended stands in the
container's termination message. It asks nothing of the Kubernetes API.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from phalanx_contract.errors import FieldError, decode
from phalanx_contract.plan import Artifact, Digest, Uri

ENV_TASK: Final = "PHALANX_DISTILL_TASK"
"""The task as JSON."""
ENV_ENDING: Final = "PHALANX_TERMINATION_LOG"
"""The file whose content becomes the container's termination message."""
JOB_ENV: Final = frozenset({ENV_TASK, ENV_ENDING})
"""The variables that the operator sets in a Job's pod beside those of `runtime`."""
ENDING_PATH: Final = "/dev/termination-log"
"""Where a kubelet looks for that file, unless it is told of another one."""
PROGRESS_PATH: Final = "/phalanx/distillation"
MAX_ENDING_BYTES: Final = 4096
"""What a kubelet keeps of a termination message."""
REFUSED: Final = 64
"""Exit code of a task that no second try would end in another way: a setting, rows or weights that cannot be used."""


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to distil, and where to.

    `teacher` is a packaged encoder's name or the URI of a checkpoint's folder; `data` a packaged set's name or the URI
    of a .jsonl or .csv file; `output` the URI of the folder that the artifact will lie in. Snapshots lie below `work`
    (`pvc://CLAIM/PATH`), where it is left out beside the output if that is on a disk, else in the pod. `settings` are
    those of `phalanx distill`.
    """

    teacher: str
    data: str
    output: Uri
    text_column: str = "text"
    label_column: str = "label"
    work: Uri | None = None
    settings: dict[str, Any] = {}


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Read leniently: a Job may run an image of another release."""


class Progress(_Record, frozen=True):
    """Where a run stands. `share` is that of the stage alone; `left_s` the seconds until the stage ends, if known."""

    stage: Annotated[str, Meta(max_length=256)]
    share: Annotated[float, Meta(ge=0.0, le=1.0)]
    left_s: Annotated[float, Meta(ge=0.0)] | None = None


class Outcome(_Record, frozen=True):
    """What came of it: the artifact's place and digest, its shape, and how it did on held-out rows.

    `agreement` is the share of them that all students answer as the teacher does.
    """

    uri: Uri
    digest: Digest
    students: int
    rows: int
    accuracy: float
    teacher_accuracy: float | None = None
    agreement: float | None = None
    seconds: float = 0.0

    @property
    def artifact(self) -> Artifact:
        """What a plan serves."""
        return Artifact(uri=self.uri, digest=self.digest)


class Ending(_Record, frozen=True):
    """How a container ended: with an outcome, or with an error in one line."""

    outcome: Outcome | None = None
    error: str = ""


def encode_ending(ending: Ending) -> bytes:
    """The termination message; an error that is too long is cut, so that the whole stays JSON."""
    data = msgspec.json.encode(ending)
    while len(data) > MAX_ENDING_BYTES and ending.error:
        excess = len(data) - MAX_ENDING_BYTES
        ending = Ending(outcome=ending.outcome, error=ending.error[: max(0, len(ending.error) - max(excess, 16))])
        data = msgspec.json.encode(ending)
    return data


def parse_ending(message: str) -> Ending | None:
    """A termination message; None where it is something else, such as the end of a log."""
    try:
        return msgspec.json.decode(message, type=Ending)
    except (msgspec.DecodeError, UnicodeError):
        return None


def parse_progress(data: bytes) -> Progress:
    """Read a pod's answer.

    Raises:
        FieldError: not JSON, or a field of the wrong type.
    """
    return decode(data, Progress)


def parse_task(data: str) -> Task:
    """Read a task.

    Raises:
        FieldError: not JSON, an unknown key, or a value out of bounds.
    """
    try:
        return msgspec.json.decode(data, type=Task)
    except msgspec.DecodeError as error:
        raise FieldError.of(error) from error
