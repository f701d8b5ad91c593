"""A teacher's training grows where few rows would make it short, within bounds."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.config import TeacherSettings
from phalanx_distill.teacher import sized


def test_many_rows_are_trained_as_set() -> None:
    settings = TeacherSettings()
    assert sized(settings, 26_000) == settings.fit
    assert sized(msgspec.structs.replace(settings, least_steps=0), 100) == settings.fit


def test_few_rows_get_smaller_batches_and_more_epochs() -> None:
    found = [sized(TeacherSettings(), rows) for rows in (7500, 3775)]
    assert [(fit.batch_rows, fit.epochs) for fit in found] == [(16, 3), (16, 6)]


@given(st.integers(1, 100_000), st.integers(1, 3000))
def test_the_steps_are_enough_or_the_epochs_are_at_their_bound(rows: int, least: int) -> None:
    settings = msgspec.structs.replace(TeacherSettings(), least_steps=least)
    fit = sized(settings, rows)
    assert settings.fit.epochs <= fit.epochs <= settings.most_epochs
    assert fit.epochs * -(-rows // fit.batch_rows) >= least or fit.epochs == settings.most_epochs
