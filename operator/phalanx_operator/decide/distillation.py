"""What decisions on a distillation read, remember and return. Pure data."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from phalanx_contract.distillation import Outcome, Progress
from phalanx_operator.decide.conditions import Finding


class Phase(enum.StrEnum):
    """Where a distillation stands."""

    WAITING = "Waiting"
    RUNNING = "Running"
    FAILED = "Failed"
    DONE = "Done"


class Course(enum.StrEnum):
    """What to do about the Job."""

    LEAVE = "Leave"
    MAKE = "Make"
    DELETE = "Delete"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a spec asks for: a result by its mark, at `output`, from a Job by its name."""

    mark: str
    job: str
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JobView:
    """The Job. `ended_at` (s) is None while it goes on; `failure` is empty, or why it was given up.

    `suspended` is whether somebody else, a person or a queue, has it make no pods for now.
    """

    failure: str = ""
    ended_at: float | None = None
    deleting: bool = False
    suspended: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillerView:
    """A pod of the Job. `outcome` is what it told at its end; `words` its last ones if it failed.

    `problem` says why it does not run; `progress` is None while it does not answer.
    """

    name: str
    ended: bool = False
    running: bool = False
    outcome: Outcome | None = None
    words: str = ""
    problem: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """An outcome, and the mark that it is the outcome of."""

    mark: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A Job that was given up, by name, and why."""

    job: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What the status keeps. `progress` is as it was told last, in steps."""

    result: Result | None = None
    failure: Failure | None = None
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Distillation:
    """The decision: where it stands, what to do, what to remember, and what to tell."""

    phase: Phase
    course: Course
    remembered: Remembered
    finding: Finding
