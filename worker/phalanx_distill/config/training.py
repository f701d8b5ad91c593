"""Settings of what stands around the students: the split, the teacher, transfer text, ramps."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from phalanx_distill.config.base import Count, Dropout, Fitting, Fraction, Seed, Settings, Share, TeacherFitting, Tokens

Source = Literal["trec6", "movie", "amazon", "tweets", "nyt", "sms", "tweet-sentiment", "dialogue", "sets", "all"]
"""Packaged text. `sets` are the texts of all labelled sets, `dialogue` lines of films, `all` is both."""


class SplitSettings(Settings, frozen=True, kw_only=True):
    """How rows are parted (by a stable hash of the text)."""

    test_share: Share = 0.2
    """Share of the texts that only the final accuracy is measured on."""
    validation_share: Share = 0.08
    """Share that picks epochs and student weights; neither trained on nor reported as test."""


class TeacherSettings(Settings, frozen=True, kw_only=True):
    """Fine-tuning of the whole encoder and its head on labelled rows."""

    count: Annotated[int, Meta(ge=1, le=16)] = 1
    """Teachers that are fine-tuned, each with a seed of its own. Students learn the mean of their logits; they are cut
    from the first and measured against it."""
    fit: TeacherFitting = TeacherFitting(epochs=3, batch_rows=32, learning_rate=1e-4)
    least_steps: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_200
    """Where `fit` makes fewer updates, batches are halved and epochs added: few rows leave a teacher undertrained, and
    students can be no better. 0 takes `fit` as it is."""
    most_epochs: Annotated[int, Meta(ge=1, le=1000)] = 6
    """Bound of the added epochs."""
    dropout: Dropout = 0.1
    """Probability with which states are dropped inside the encoder while it trains."""
    word_drop: Fraction = 0.0
    """Share of words left out of a training text, drawn anew every epoch."""


class TransferSettings(Settings, frozen=True, kw_only=True):
    """Text beyond the labelled rows that the teacher speaks about and students learn from.

    Transfer text closes most of the gap between a shallow student and its teacher: students learn the teacher's
    function between the labelled rows, not only at them.
    """

    seed: Seed | None = None
    """Seeds the made-up text, in place of the run's own. Runs that differ in their seeds alone then have the same text,
    and where teachers are kept (`--teachers`) their answers serve all of them."""
    neighbours: Annotated[int, Meta(ge=0, le=100)] = 4
    """Made-up texts for each training row: words dropped, splices of two texts, words swapped, spans.
    Fewer do where rows are many: each costs a pass."""
    word_drop: Fraction = 0.15
    """Share of words that word-dropping leaves out."""
    sources: tuple[Source, ...] = ()
    """Packaged texts (their labels are not used) beside those of `--unlabelled` files."""
    max_texts: Annotated[int, Meta(ge=1, le=10_000_000)] = 60_000
    """Bound on all transfer texts. Training rows always stay; of the others those with the lowest hash do."""
    max_tokens: Tokens = 128
    """Longer transfer texts are cut: the time of a pass grows with its longest texts."""


class RampSettings(Settings, frozen=True, kw_only=True):
    """One linear ramp after each row but the last, on frozen students."""

    max_texts: Count = 8_000
    """Transfer texts that ramps learn from, evenly drawn: a linear layer needs no more."""
    fit: Fitting = Fitting(epochs=20, batch_rows=256, learning_rate=5e-3, weight_decay=0.0)
