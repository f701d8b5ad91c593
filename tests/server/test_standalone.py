"""What `phalanx serve --artifact` could never serve is refused before it listens."""

from __future__ import annotations

import pytest

from phalanx_contract.errors import FieldError
from phalanx_grid import ArtifactUnsupported
from phalanx_server.standalone import cut_between, standalone_plan
from tests.server.artifacts import STUDENTS
from tests.server.conftest import Shop


def test_a_tenants_adapter_is_no_model_of_its_own(shop: Shop) -> None:
    with pytest.raises(ArtifactUnsupported, match="is a tenant's adapter; serve the ensemble"):
        standalone_plan(shop.tenants["acme"].path, name="films")


def test_no_more_students_can_be_asked_for_than_there_are(shop: Shop) -> None:
    plan = standalone_plan(shop.base.path, name="films", cut=cut_between(STUDENTS, None))
    assert plan.ensembles[0].cut.students_floor == STUDENTS
    with pytest.raises(FieldError, match=f"--students-min: {STUDENTS + 1}, but the artifact has {STUDENTS}"):
        standalone_plan(shop.base.path, name="films", cut=cut_between(STUDENTS + 1, None))


@pytest.mark.parametrize("objective_s", [float("nan"), float("inf")])
def test_an_objective_is_a_number_of_seconds(shop: Shop, objective_s: float) -> None:
    with pytest.raises(FieldError, match=f"--objective: {objective_s} is no number of seconds"):
        standalone_plan(shop.base.path, name="films", objective_s=objective_s)
