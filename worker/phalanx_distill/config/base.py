"""What all settings share: bounds, strictness, and the settings of one training run."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Share = Annotated[float, Meta(gt=0.0, lt=0.9)]
Rate = Annotated[float, Meta(gt=0.0, le=1.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Weight = Annotated[float, Meta(ge=0.0, le=1000.0)]
Dropout = Annotated[float, Meta(ge=0.0, lt=1.0)]
Seed = Annotated[int, Meta(ge=0, lt=2**31)]
Tokens = Annotated[int, Meta(ge=8, le=512)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable and strict about unknown keys."""


class Training(Settings, frozen=True, kw_only=True):
    """One training run without its rate: AdamW with a linear warm-up and a linear decay to zero."""

    epochs: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Passes over the rows. The epoch with the best validation score is kept, whichever it is."""
    batch_rows: Count = 32
    """Texts in a batch; batches are of similar length, so that little is padded."""
    warmup: Fraction = 0.1
    """Share of all steps over which the rate climbs."""
    weight_decay: Fraction = 0.01
    """Decoupled decay of matrices; biases and layer norms are spared."""
    clip: Annotated[float, Meta(gt=0.0)] = 1.0
    """Largest gradient norm: longer gradients are shortened to it."""


class Fitting(Training, frozen=True, kw_only=True):
    """One training run."""

    learning_rate: Rate = 5e-5
    """Peak rate, reached at the end of the warm-up."""


class TeacherFitting(Fitting, frozen=True, kw_only=True):
    """The same, or none at all."""

    epochs: Annotated[int, Meta(ge=0, le=1000)] = 3
    """Passes over the rows. The epoch with the best validation score is kept, whichever it is. 0 takes the
    teacher as it is, whose own head has to answer the rows' labels."""
