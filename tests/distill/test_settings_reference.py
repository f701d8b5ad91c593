"""The page of settings is what the classes say."""

from __future__ import annotations

from pathlib import Path

from phalanx_distill.config import DistillSettings
from phalanx_distill.config.reference import settings, written

PAGE = Path(__file__).parents[2] / "docs" / "distillation.md"


def test_every_setting_says_what_it_is() -> None:
    silent = [path for path, _, text in settings(DistillSettings()) if not text]
    assert silent == []


def test_the_documented_settings_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    update = f"python -m phalanx_distill.config.reference {PAGE.name}"
    assert written(page) == page, f"stale; run {update} in docs"
    assert "`students.auto.accuracy_budget` | `0.005`" in page
