"""A worker's report is read leniently forward and strictly in its types."""

from __future__ import annotations

import msgspec
import pytest

from phalanx_contract.errors import FieldError
from phalanx_contract.worker import EnsembleReport, LoadReason, LoadState, WorkerStatus, parse_status


def test_a_report_survives_the_round_trip() -> None:
    report = EnsembleReport(
        name="s",
        wanted_digest="sha256:1",
        state=LoadState.FAILED,
        field="spec.artifact.digest",
        reason=LoadReason.DIGEST_MISMATCH,
        message="another artifact lies there",
        agreement=(0.98, 1.0),
    )
    status = WorkerStatus(plan="sha256:2", ready=True, ensembles=(report,))
    assert parse_status(msgspec.json.encode(status)) == status


def test_fields_of_a_newer_worker_are_ignored() -> None:
    assert parse_status(b'{"plan": "sha256:2", "invented_later": 1}') == WorkerStatus(plan="sha256:2")


@pytest.mark.parametrize(
    ("raw", "field"),
    [(b'{"ready": "yes"}', "ready"), (b'{"ensembles": [{"name": "s"}]}', "ensembles[0]"), (b"{", ""), (b"\xff", "")],
)
def test_what_is_not_a_report_is_refused_with_its_field(raw: bytes, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_status(raw)
    assert refusal.value.field == field
