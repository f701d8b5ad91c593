"""docs/conditions.md and docs/decisions.md document each type, reason and action, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phalanx_contract.conditions import ConditionType, Reason
from phalanx_contract.worker import LoadReason
from phalanx_operator.decide.nextsteps import field_of, step_of
from phalanx_operator.decide.types import Action, DecisionReason

DOCS = Path(__file__).parents[3] / "docs"


def documented(page: str) -> set[str]:
    """The first cells of all tables."""
    return set(re.findall(r"^\| `(\w+)` \|", (DOCS / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "enums"),
    [("conditions.md", (ConditionType, Reason, LoadReason)), ("decisions.md", (Action, DecisionReason))],
)
def test_the_page_documents_exactly_what_there_is(page, enums):
    assert documented(page) == {str(value) for enum in enums for value in enum if value}


def test_every_load_failure_has_a_field_and_a_next_step():
    for reason in LoadReason:
        assert field_of(reason).startswith("spec.")
        assert step_of(reason)
