"""A worker without an operator: a plan of one ensemble, made from an artifact's folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from phalanx_contract.errors import FieldError
from phalanx_contract.plan import Artifact, Cut, Ensemble, Plan, encode_plan, parse_plan
from phalanx_grid import ArtifactUnsupported, EnsembleManifest, read_manifest

OBJECTIVE_S: Final = 0.25
"""Latency objective where nobody set one: generous, for a machine without a GPU."""

_OPTIONS: Final = {
    "ensembles[0].name": "--name",
    "objective_p99_s": "--objective",
    "ensembles[0].cut.students_floor": "--students-min",
    "ensembles[0].cut.students_ceiling": "--students-max",
}
"""What sets these fields of the plan."""


def cut_between(fewest: int, most: int | None) -> Cut:
    """The cut that lets the burst guard move between so many students; None is as many as the artifact has.

    Raises:
        FieldError: the most are fewer than the fewest.
    """
    if most is not None and most < fewest:
        raise FieldError("--students-max", f"{most} is below --students-min {fewest}")
    return Cut(students_floor=fewest, students_ceiling=most)


def standalone_plan(folder: Path, *, name: str, objective_s: float = OBJECTIVE_S, cut: Cut | None = None) -> Plan:
    """A plan that serves the artifact in `folder` with all its students.

    Raises:
        GridError: there is no artifact, its manifest is damaged, or it is a tenant's adapter.
        FieldError: the name, the objective or the fewest students are not valid ones.
    """
    manifest, digest = read_manifest(folder)
    if not isinstance(manifest, EnsembleManifest):
        raise ArtifactUnsupported(f"{folder} is a tenant's adapter; serve the ensemble that it was trained on")
    if cut is not None and cut.students_floor > manifest.geometry.students:
        message = f"{cut.students_floor}, but the artifact has {manifest.geometry.students}"
        raise FieldError(_OPTIONS["ensembles[0].cut.students_floor"], message)
    if not math.isfinite(objective_s):
        raise FieldError(_OPTIONS["objective_p99_s"], f"{objective_s} is no number of seconds")
    artifact = Artifact(uri=folder.resolve().as_uri(), digest=digest)
    ensemble = Ensemble(name=name, artifact=artifact, cut=cut or Cut())
    plan = Plan(namespace="local", pool="standalone", objective_p99_s=objective_s, ensembles=(ensemble,))
    try:
        return parse_plan(encode_plan(plan))
    except FieldError as error:
        raise FieldError(_OPTIONS.get(error.field, error.field), error.message) from error
