"""The plan: which ensembles and adapters a pool's workers serve, and at which cut.

The operator computes one plan per ServingPool; workers swap to it between batches. The types here are the
whole vocabulary. Unknown keys and values out of bounds are refused with the path of the field
(`parse_plan`); a plan that was built in code is held to the same rules before it is written (`encode_plan`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Final, Literal, NewType

import msgspec
from msgspec import Meta

from phalanx_contract.errors import FieldError
from phalanx_contract.limits import (
    MAX_ADAPTERS,
    MAX_ALONE,
    MAX_ENSEMBLES,
    MAX_NAME,
    MAX_PLAN_BYTES,
    MAX_POOL_NAME,
    MAX_ROWS,
    MAX_STUDENTS,
)

PLAN_FORMAT: Final = "phalanx.plan/v1"

PlanHash = NewType("PlanHash", str)
"""`sha256:` and 64 hex digits over the plan's canonical JSON."""

_CANDIDATE: Final = "@candidate"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# Kubernetes object names are dot-separated labels; lengths are bounded by Meta beside the pattern.
_DNS = rf"^{_LABEL}(\.{_LABEL})*$"

Name = Annotated[str, Meta(pattern=_DNS, max_length=MAX_NAME)]
PodName = Annotated[str, Meta(pattern=_DNS, max_length=253)]
PoolName = Annotated[str, Meta(pattern=rf"^{_LABEL}$", max_length=MAX_POOL_NAME)]
Namespace = Annotated[str, Meta(pattern=rf"^{_LABEL}$", max_length=63)]
Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Uri = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*://[^\s]+$", max_length=2048)]
Students = Annotated[int, Meta(ge=1, le=MAX_STUDENTS)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Salt = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Immutable, keyword-only, and strict about unknown keys."""


class Artifact(_Frozen, frozen=True):
    """Where a grid or an adapter lies, and what it must be.

    The digest covers the artifact's manifest, which in turn lists the digest of every file.
    """

    uri: Uri
    digest: Digest


class Cut(_Frozen, frozen=True):
    """The operating range of one ensemble.

    The worker's burst guard picks the number of students for each batch from
    `students_floor .. students_ceiling`; no ceiling means all that the artifact has. `burst_loss` is the share of
    answers that may differ from those of all students, on average over the worker's accuracy window; once that is
    spent, the floor rises to the fewest students that stay within it by themselves. None leaves the floor alone.
    `thresholds[r]` belongs to the ramp after row r: an answer exits there if `1 - confidence < thresholds[r]`, so 0
    never exits, and rows past the end of the tuple do not exit either (SYSTEMS: Apparate, arXiv 2312.05385, section 3).
    """

    students_floor: Students = 1
    students_ceiling: Students | None = None
    burst_loss: Probability | None = None
    thresholds: Annotated[tuple[Probability, ...], Meta(max_length=MAX_ROWS)] = ()

    def __post_init__(self) -> None:
        if self.students_ceiling is not None and self.students_ceiling < self.students_floor:
            raise ValueError(f"students_ceiling {self.students_ceiling} is below students_floor {self.students_floor}")


class ApiKey(_Frozen, frozen=True):
    """A tenant's API key as `sha256(salt bytes + key bytes)`; the key itself is in no document."""

    salt: Salt
    sha256: Hex64


class Adapter(_Frozen, frozen=True):
    """One tenant of one ensemble."""

    name: Name
    artifact: Artifact
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1
    rate_tokens_per_s: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    api_key: ApiKey | None = None


class Candidate(_Frozen, frozen=True):
    """An artifact that may take the place of the ensemble's own one.

    Workers load it beside their own, with the same tenants, and let it answer `share` of the base model's requests.
    """

    artifact: Artifact
    cut: Cut = Cut()
    share: Probability = 0.0


class Ensemble(_Frozen, frozen=True):
    """One model: its artifact, its cut, its tenants, and while another artifact is on its way, that.

    `alone` are workers, by the names of their pods, that have no room for two artifacts: they let go of what they serve
    before they load the candidate, or without one the artifact.
    """

    name: Name
    artifact: Artifact
    cut: Cut = Cut()
    adapters: Annotated[tuple[Adapter, ...], Meta(max_length=MAX_ADAPTERS)] = ()
    candidate: Candidate | None = None
    alone: Annotated[tuple[PodName, ...], Meta(max_length=MAX_ALONE)] = ()

    def __post_init__(self) -> None:
        _unique("adapters", (adapter.name for adapter in self.adapters))
        if self.candidate is not None and self.candidate.artifact == self.artifact:
            raise ValueError("the candidate is the artifact that serves")


class Plan(_Frozen, frozen=True, omit_defaults=False):
    """What the workers of one pool serve. `objective_p99_s` is the latency objective in seconds."""

    namespace: Namespace
    pool: PoolName
    objective_p99_s: Annotated[float, Meta(gt=0, le=600)]
    ensembles: Annotated[tuple[Ensemble, ...], Meta(max_length=MAX_ENSEMBLES)] = ()
    format: Literal["phalanx.plan/v1"] = PLAN_FORMAT

    def __post_init__(self) -> None:
        _unique("ensembles", (ensemble.name for ensemble in self.ensembles))


def artifacts_of(plan: Plan) -> Iterator[Artifact]:
    """All that a plan names: of ensembles, of their candidates, of tenants."""
    for ensemble in plan.ensembles:
        yield ensemble.artifact
        if ensemble.candidate is not None:
            yield ensemble.candidate.artifact
        yield from (adapter.artifact for adapter in ensemble.adapters)


def candidate_name(ensemble: str) -> str:
    """What reports and metrics call the candidate of an ensemble; no resource can have such a name."""
    return f"{ensemble}{_CANDIDATE}"


def is_candidate(name: str) -> bool:
    """Whether reports and metrics of this name are a candidate's."""
    return name.endswith(_CANDIDATE)


def _unique(field: str, names: object) -> None:
    seen: set[str] = set()
    for name in names:  # type: ignore[attr-defined]
        if name in seen:
            raise ValueError(f"{field}: the name {name!r} is there twice")
        seen.add(name)


_DECODER = msgspec.json.Decoder(Plan)


def parse_plan(data: bytes) -> Plan:
    """Read a plan from JSON.

    Raises:
        FieldError: not JSON, an unknown key, or a value out of bounds; `field` names where.
    """
    if len(data) > MAX_PLAN_BYTES:
        raise FieldError("", f"a plan of {len(data)} bytes; at most {MAX_PLAN_BYTES}")
    try:
        return _DECODER.decode(data)
    except UnicodeDecodeError as error:
        raise FieldError("", f"not UTF-8: {error}") from error
    except msgspec.DecodeError as error:
        raise FieldError.of(error) from error


def encode_plan(plan: Plan) -> bytes:
    """The canonical JSON of a plan: equal plans give equal bytes.

    Raises:
        FieldError: the plan was built with values that `parse_plan` would refuse.
    """
    data = msgspec.json.encode(plan)
    if parse_plan(data) != plan:
        raise FieldError("", "the plan holds a value that JSON does not carry unchanged (NaN, or a wrong type)")
    return data


def hash_plan(plan: Plan) -> PlanHash:
    """The content hash by which a worker says which plan it serves."""
    return PlanHash("sha256:" + hashlib.sha256(encode_plan(plan)).hexdigest())
