"""A student's rate where none is given: it goes by the encoder's width."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.config import DistillSettings, StudentFitting, parse_settings
from phalanx_distill.config import students as settings
from phalanx_distill.ensemble import train_ensemble
from phalanx_distill.errors import SettingError
from phalanx_grid import Grid
from tests.distill import tiny

WIDTHS = st.integers(1, 8192)


@given(WIDTHS, WIDTHS)
def test_a_wider_encoders_students_never_get_a_higher_rate_and_narrow_ones_that_of_minilm(one: int, other: int) -> None:
    narrow, wide = (StudentFitting().of_width(width).learning_rate for width in sorted((one, other)))
    assert 0 < wide <= narrow <= 5e-4
    assert (narrow == 5e-4) == (min(one, other) <= 384)


def test_twice_the_width_is_a_quarter_of_the_rate_and_nothing_else_changes() -> None:
    fit = StudentFitting(epochs=7, batch_rows=3, warmup=0.2, weight_decay=0.3, clip=0.4)
    known = fit.of_width(768)
    assert known.learning_rate == pytest.approx(1.25e-4)
    assert (known.epochs, known.batch_rows, known.warmup, known.weight_decay, known.clip) == (7, 3, 0.2, 0.3, 0.4)


@given(WIDTHS, st.floats(1e-9, 1.0))
def test_a_rate_that_is_given_is_taken_whatever_the_width(width: int, rate: float) -> None:
    assert StudentFitting(learning_rate=rate).of_width(width).learning_rate == rate


@pytest.mark.parametrize("rate", ["fast", 0, -1e-4, 2.0])
def test_other_rates_are_refused_by_their_path(rate: object) -> None:
    with pytest.raises(SettingError, match=r"students\.fit\.learning_rate"):
        parse_settings(DistillSettings, {"students": {"fit": {"learning_rate": rate}}})


def test_students_are_trained_at_the_rate_for_their_encoders_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = tiny.Lessons(tmp_path / "taught")

    def made(rate: float | str) -> Grid:
        run = tiny.student_run(tmp_path / f"run-{rate}", count=1, fit={"epochs": 1, "learning_rate": rate})
        return train_ensemble(run, taught.teacher, taught.transfer, taught.validation).grid

    monkeypatch.setattr(settings, "RATE_WIDTH", tiny.HIDDEN // 2)
    given_rate, found, other = made(1.25e-4), made("auto"), made(5e-4)
    as_found = found.state_dict()
    assert all(torch.equal(value, as_found[name]) for name, value in given_rate.state_dict().items())
    assert not all(torch.equal(value, as_found[name]) for name, value in other.state_dict().items())
