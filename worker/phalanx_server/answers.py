"""What a client wants of its texts, and what comes back: the words between protocols and engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract.runtime import (
    HEADER_EXIT_ROW,
    HEADER_FIDELITY,
    HEADER_PLAN,
    HEADER_STUDENTS,
    HEADER_VERSION,
)

FINAL = "final"
"""The exit row of an answer from the whole grid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One request, whatever protocol it came by.

    `truncate` cuts over-long texts instead of refusing them. An embedding needs all rows, so asking for one
    turns early exits off for the request.
    """

    texts: tuple[str, ...]
    scores: bool = True
    embedding: bool = False
    truncate: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One text's answer. `logits` is [C] (empty for a grid without a readout), `embedding` [H] or empty.

    `exit_row` None is the whole grid. Times in seconds: `queue_s` waiting for the batch, `compute_s` from then on.
    """

    logits: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    embedding: tuple[float, ...] = ()
    students: int
    exit_row: int | None = None
    plan: str = ""
    queue_s: float = 0.0
    compute_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """All answers of one request, and of which model. `version` is the artifact's digest."""

    model: str
    version: str
    labels: tuple[str, ...]
    fidelity: str
    answers: tuple[Answer, ...]
    tokens: int
    tokenization_s: float

    def made_by(self) -> dict[str, str]:
        """How the answers were made: students, exit rows, fidelity, version and plan, by the contract's header names.

        Several texts may have run in several batches; what differs between them is listed in their order.
        """
        return {
            HEADER_STUDENTS: ",".join(_one_if_equal([str(answer.students) for answer in self.answers])),
            HEADER_EXIT_ROW: ",".join(
                FINAL if answer.exit_row is None else str(answer.exit_row) for answer in self.answers
            ),
            HEADER_FIDELITY: self.fidelity,
            HEADER_VERSION: version(self.version),
            HEADER_PLAN: self.answers[-1].plan if self.answers else "",
        }


def version(digest: str) -> str:
    """A model's version: the start of its artifact's digest."""
    return digest.removeprefix("sha256:")[:12]


def _one_if_equal(values: Sequence[str]) -> Sequence[str]:
    return values[:1] if len(set(values)) == 1 else values
