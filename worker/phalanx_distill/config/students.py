"""Settings of the students: how many of what depth, what each learns, and what it counts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from phalanx_contract.limits import MAX_ROWS, MAX_STUDENTS
from phalanx_distill.config.base import Count, Dropout, Fitting, Fraction, Rate, Settings, Training, Weight

Row = Annotated[int, Meta(ge=0, lt=MAX_ROWS)]
RowsFrom = Row | Literal["spread", "staggered"] | Annotated[tuple[Row, ...], Meta(min_length=1)]
"""Consecutive rows from one on, rows evenly over the teacher (staggered from student to student), or these rows."""
Students = Annotated[int, Meta(ge=1, le=MAX_STUDENTS)]
Depth = Annotated[int, Meta(ge=1, le=MAX_ROWS)]


RATE: Final = 5e-4
RATE_WIDTH: Final = 384
"""A student's rate, and the widest encoder (dimensions of a state) that it is for."""


class StudentFitting(Training, frozen=True, kw_only=True):
    """A student's training, whose rate may go by the encoder's width."""

    learning_rate: Rate | Literal["auto"] = "auto"
    """Peak rate, reached at the end of the warm-up. `auto`: 5e-4 up to MiniLM's width of 384, and beyond it falling
    with the square of the width (1.25e-4 at 768), since wide students learn little at a narrow one's rate."""

    def of_width(self, hidden: int) -> Fitting:
        """The training of students whose states have `hidden` dimensions."""
        rate = self.learning_rate
        if rate == "auto":
            rate = RATE * min(RATE_WIDTH / hidden, 1.0) ** 2
        return msgspec.convert({**msgspec.structs.asdict(self), "learning_rate": rate}, Fitting)


class AutoSettings(Settings, frozen=True, kw_only=True):
    """The search for a shape (rows L, students K) where `count` or `rows` is `auto`."""

    accuracy_budget: Fraction = 0.005
    """How much lower than the teacher's the accuracy on validation rows may be."""
    max_rows: Depth = 3
    """Deepest students that are tried. Rows run one after the other, so the fewest are tried first."""
    max_count: Students = 8
    """Most students of one depth."""


class JointSettings(Settings, frozen=True, kw_only=True):
    """A last training of all students together, in which the tail of them is dropped, so that every prefix holds."""

    epochs: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Passes over the transfer text; 0 leaves it out."""
    prefixes: Literal["random", "all"] = "random"
    """Each step one prefix, drawn evenly, or the mean over all of them."""
    batch_rows: Count = 64
    """Texts in a batch."""
    learning_rate: Rate = 1e-4
    """Peak rate: lower than a single student's, which it must not undo."""


class StudentSettings(Settings, frozen=True, kw_only=True):
    """The students, trained one after the other."""

    count: Students | Literal["auto"] = 4
    """Students K: the columns of the grid."""
    rows: Depth | Literal["auto"] = 2
    """Encoder rows L of a student. Two is what the paper serves."""
    auto: AutoSettings = AutoSettings()
    target: Literal["residual", "teacher"] = "teacher"
    """`teacher`: each student learns the teacher's logits, and they differ by start, seed and order of the text, so
    that their errors partly cancel out. `residual`: each learns what the earlier ones leave over of them (boosting),
    which is the smaller and the harder to learn the more of them there are."""
    shrinkage: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Share of a student's answer that is taken off the next one's target: less leaves later students more to learn,
    and less of it the teacher's noise (gradient boosting's shrinkage). Only for `residual`."""
    rows_from: Row | Literal["spread", "staggered"] | Annotated[tuple[RowsFrom, ...], Meta(min_length=1)] = "staggered"
    """The fine-tuned teacher's rows that a student starts from: consecutive from a row on; `spread` evenly;
    `staggered`, which is spread with another first row for each student, and once the first rows; or for each student
    one of these or its rows one by one, the last for all further students."""
    dropout: Dropout = 0.0
    """Probability with which states are dropped inside a student while it trains."""
    train_embeddings: bool = False
    """Whether the first student also trains the embedding table, which all later ones then share as it is."""
    weight: Literal["fitted", "stagewise", "one", "mean"] = "fitted"
    """What students count, for every number k of them that answers. `fitted`: least squares against the teacher on
    validation rows, none negative, drawn to equal shares; `stagewise`: what was taken off the residual; `one`: 1;
    `mean`: 1/k."""
    ridge: Weight = 0.1
    """How strongly fitted weights are drawn to equal shares, relative to the mean square of a student's answer."""
    hidden: Literal["none", "chunk", "last"] = "none"
    """A second target: the teacher's pooled states after its last row (`last`), or after the last row of the m-th of K
    equal parts of it (`chunk`) for student m."""
    hidden_weight: Weight = 0.1
    """How much the second target counts beside the logits."""
    label_weight: Weight = 0.0
    """How much cross-entropy on the labels of training rows counts beside the logits."""
    min_gain: Fraction = 0.0
    """Stop adding students when one lowers the validation residual by less than this share; 0 never stops."""
    fit: StudentFitting = StudentFitting(epochs=2, batch_rows=32)
    """A student's training. Small batches, so that small sets make enough updates."""
    later_epochs: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Passes of every later student, 0 for as many as the first. What boosting leaves to learn is small: one will
    do."""
    joint: JointSettings = JointSettings()

    @property
    def searched(self) -> bool:
        """Whether a shape is looked for."""
        return "auto" in (self.count, self.rows)
