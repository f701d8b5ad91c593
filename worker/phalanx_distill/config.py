"""Every setting of distillation and adaptation, with its unit, default and reason.

The defaults are for an encoder of MiniLM's size and a few thousand rows on two CPU cores. All of it is part of a run's
fingerprint: another value is another run. Paths are not: rows and weights count by content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import Meta

from phalanx_contract.limits import MAX_ROWS, MAX_STUDENTS
from phalanx_distill.errors import SettingError

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Share = Annotated[float, Meta(gt=0.0, lt=0.9)]
Rate = Annotated[float, Meta(gt=0.0, le=1.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seed = Annotated[int, Meta(ge=0, lt=2**31)]


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable and strict about unknown keys."""


class Fitting(_Settings, frozen=True, kw_only=True):
    """One training run: AdamW with a linear warm-up and a linear decay to zero."""

    epochs: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Passes over the rows. The epoch with the best validation score is kept, whichever it is."""
    batch_rows: Count = 32
    """Texts in a batch; batches are of similar length, so that little is padded."""
    learning_rate: Rate = 5e-5
    """Peak rate, reached at the end of the warm-up."""
    warmup: Fraction = 0.1
    """Share of all steps over which the rate climbs."""
    weight_decay: Fraction = 0.01
    """Decoupled decay of matrices; biases and layer norms are spared."""
    clip: Annotated[float, Meta(gt=0.0)] = 1.0
    """Largest gradient norm: longer gradients are shortened to it."""


class SplitSettings(_Settings, frozen=True, kw_only=True):
    """How rows are parted (by a stable hash of the text)."""

    test_share: Share = 0.2
    """Share of the texts that only the final accuracy is measured on."""
    validation_share: Share = 0.08
    """Share that picks epochs and student weights; neither trained on nor reported as test."""


class TeacherSettings(_Settings, frozen=True, kw_only=True):
    """Fine-tuning of the whole encoder and a new head on labelled rows."""

    fit: Fitting = Fitting(epochs=3, batch_rows=32, learning_rate=1e-4)
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.1
    """Probability with which states are dropped inside the encoder while it trains."""
    word_drop: Fraction = 0.0
    """Share of words left out of a training text, drawn anew every epoch."""


class TransferSettings(_Settings, frozen=True, kw_only=True):
    """Text beyond the labelled rows that the teacher speaks about and students learn from.

    Transfer text closes most of the gap between a shallow student and its teacher: students learn the teacher's
    function between the labelled rows, not only at them.
    """

    neighbours: Annotated[int, Meta(ge=0, le=100)] = 6
    """Made-up texts for each training row: words dropped, splices of two texts, words swapped, spans. On TREC-6 many
    of them seen twice served better than half as many seen three times."""
    word_drop: Fraction = 0.15
    """Share of words that word-dropping leaves out."""
    max_unlabelled: Annotated[int, Meta(ge=0, le=10_000_000)] = 50_000
    """Texts taken from files of unlabelled text, chosen by hash when there are more."""


class StudentSettings(_Settings, frozen=True, kw_only=True):
    """The students, trained one after the other, each on what the earlier ones leave over."""

    count: Annotated[int, Meta(ge=1, le=MAX_STUDENTS)] = 4
    """Students K: the columns of the grid."""
    rows: Annotated[int, Meta(ge=1, le=MAX_ROWS)] = 2
    """Encoder rows L of a student. Two is what the paper serves."""
    starts: Annotated[tuple[Annotated[int, Meta(ge=0, lt=MAX_ROWS)], ...], Meta(min_length=1)] = (0,)
    """The row of the fine-tuned teacher from which a student's first row is copied, for each student; the last
    value holds for all further students."""
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    """Probability with which states are dropped inside a student while it trains."""
    weight: Literal["fitted", "one"] = "fitted"
    """What a student's answer counts in the sum: `fitted` is <r, s> / <s, s> on validation rows (or on
    transfer text, if that is less), `one` is 1."""
    hidden: Literal["none", "last"] = "none"
    """A second target: `last` draws a student's pooled output towards the teacher's."""
    hidden_weight: Annotated[float, Meta(ge=0.0)] = 0.1
    """How much the second target counts beside the logits."""
    min_gain: Fraction = 0.0
    """Stop adding students when one lowers the validation residual by less than this share."""
    fit: Fitting = Fitting(epochs=2, batch_rows=64, learning_rate=6e-4)
    """The first student's training, which does most of the work."""
    later_epochs: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Passes of every later student: what is left to learn is small, and soon it is the teacher's noise."""


class RampSettings(_Settings, frozen=True, kw_only=True):
    """One linear ramp after each row but the last, on frozen students."""

    max_texts: Count = 8_000
    """Transfer texts that ramps learn from, evenly drawn: a linear layer needs no more."""
    fit: Fitting = Fitting(epochs=20, batch_rows=256, learning_rate=5e-3, weight_decay=0.0)


class DistillSettings(_Settings, frozen=True, kw_only=True):
    """All of `phalanx distill`."""

    seed: Seed = 0
    """Seeds the heads, the order of rows and the made-up texts."""
    max_tokens: Annotated[int, Meta(ge=8, le=512)] = 128
    """Longer texts are cut, in training and measuring alike."""
    split: SplitSettings = SplitSettings()
    teacher: TeacherSettings = TeacherSettings()
    transfer: TransferSettings = TransferSettings()
    students: StudentSettings = StudentSettings()
    ramps: RampSettings = RampSettings()


class AdaptSettings(_Settings, frozen=True, kw_only=True):
    """All of `phalanx adapt`: a low-rank adapter and a head of its own on a frozen grid."""

    seed: Seed = 0
    """Seeds adapter, head and the order of rows."""
    max_tokens: Annotated[int, Meta(ge=8, le=512)] = 128
    """Longer texts are cut, in training and measuring alike."""
    split: SplitSettings = SplitSettings()
    rank: Annotated[int, Meta(ge=1, le=256)] = 8
    """Rank of the update of each adapted matrix."""
    alpha: Annotated[float, Meta(gt=0.0, le=1024.0)] = 16.0
    """The update counts alpha / rank."""
    fit: Fitting = Fitting(epochs=4, batch_rows=32, learning_rate=2e-3)


S = TypeVar("S", bound=msgspec.Struct)


def parse_settings(kind: type[S], data: Mapping[str, Any]) -> S:
    """The defaults of `kind` with the given values in their place, from plain data such as a YAML document.

    A section that is given in part keeps its other defaults; texts are read as numbers where a number is wanted.

    Raises:
        SettingError: an unknown setting or a value out of bounds; `field` is its path, such as `teacher.fit.epochs`.
    """
    try:
        return msgspec.convert(_over(msgspec.to_builtins(kind()), data), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _located(error) from error


def _over(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` laid over `defaults`, section by section."""
    merged = dict(defaults)
    for name, value in given.items():
        below = merged.get(name)
        nested = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = _over(cast(Mapping[str, Any], below), value) if nested else value
    return merged


def _located(error: msgspec.ValidationError) -> SettingError:
    message, _, at = str(error).partition(" - at `")
    return SettingError(at.rstrip("`").removeprefix("$").removeprefix("."), message)
