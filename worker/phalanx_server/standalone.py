"""A worker without an operator: a plan of one ensemble, made from an artifact's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phalanx_contract.errors import FieldError
from phalanx_contract.plan import Artifact, Cut, Ensemble, Plan, encode_plan, parse_plan
from phalanx_grid import read_manifest

OBJECTIVE_S: Final = 0.25
"""Latency objective where nobody set one: generous, for a machine without a GPU."""

_OPTIONS: Final = {"ensembles[0].name": "--name", "objective_p99_s": "--objective"}
"""What sets these fields of the plan."""


def standalone_plan(folder: Path, *, name: str, objective_s: float = OBJECTIVE_S, cut: Cut | None = None) -> Plan:
    """A plan that serves the artifact in `folder` with all its students.

    Raises:
        GridError: there is no artifact, or its manifest is damaged.
        FieldError: the name or the objective is not a valid one.
    """
    _, digest = read_manifest(folder)
    artifact = Artifact(uri=folder.resolve().as_uri(), digest=digest)
    ensemble = Ensemble(name=name, artifact=artifact, cut=cut or Cut())
    plan = Plan(namespace="local", pool="standalone", objective_p99_s=objective_s, ensembles=(ensemble,))
    try:
        return parse_plan(encode_plan(plan))
    except FieldError as error:
        raise FieldError(_OPTIONS.get(error.field, error.field), error.message) from error
