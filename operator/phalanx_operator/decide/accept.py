"""Which resources of a pool can be served: valid by themselves, and what they refer to is there."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_contract.limits import MAX_ADAPTERS, MAX_ENSEMBLES
from phalanx_contract.plan import Artifact
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.locations import claim_of, is_allowed
from phalanx_operator.api.types import Distill, Meta, ServingPool, StudentEnsemble, TenantAdapter

_BY_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_SHOWN: Final = 4
"""Allowed places that a message lists."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a resource is accepted; the message names the field and what to do where it is not."""

    reason: Reason = Reason.VALID
    message: str = "the spec is valid"

    @property
    def accepted(self) -> bool:
        """Only `Valid` is."""
        return self.reason is Reason.VALID


VALID = Verdict()


def refused(error: SpecError) -> Verdict:
    """The verdict on a spec that could not even be read."""
    return Verdict(error.reason, str(error))


def judge_pool(pool: ServingPool, *, default_image: str, by_digest: bool) -> Verdict:
    """A pool whose spec is valid; with `by_digest`, its workers' image has to be named by digest."""
    if not by_digest:
        return VALID
    step = "write NAME@sha256:..., or leave the field out and set workerImage.digest of the operator's chart"
    return _pinned("spec.worker.image", pool.worker.image or default_image, step)


def judge_ensemble(ensemble: StudentEnsemble, pool: ServingPool | None, *, by_digest: bool = False) -> Verdict:
    """One ensemble by itself; `pool` is the one that it names, None if there is none (or it is not valid).

    With `by_digest`, an image of its own for distillation has to be named by digest.
    """
    if pool is None:
        message = f"spec.pool: there is no valid ServingPool {ensemble.pool!r} in {ensemble.meta.key.namespace}"
        return Verdict(Reason.POOL_NOT_FOUND, f"{message}; create it, or name another")
    if isinstance(ensemble.source, Distill):
        return _distillation(ensemble.source, pool, by_digest=by_digest)
    return judge_artifact(ensemble.source.uri, pool)


def judge_ensembles(
    ensembles: Iterable[StudentEnsemble], pool: ServingPool | None, *, by_digest: bool = False
) -> dict[str, Verdict]:
    """Verdicts by name on the ensembles of one pool. Where there are too many, the oldest stay."""
    verdicts: dict[str, Verdict] = {}
    room = MAX_ENSEMBLES
    for ensemble in sorted(ensembles, key=lambda each: age_order(each.meta)):
        verdict = judge_ensemble(ensemble, pool, by_digest=by_digest)
        if verdict.accepted and not room:
            message = f"spec.pool: {ensemble.pool!r} serves {MAX_ENSEMBLES} ensembles already; use another pool"
            verdict = Verdict(Reason.TOO_MANY, message)
        room -= verdict.accepted
        verdicts[ensemble.meta.key.name] = verdict
    return verdicts


ABOUT_THE_JOB: Final = frozenset({Reason.DISTILLATION_NOT_ALLOWED, Reason.IMAGE_NOT_PINNED})
"""Verdicts on an ensemble that keep it from being distilled, and no artifact from being loaded."""
_ABOUT_WHAT_IS_NEW: Final = ABOUT_THE_JOB | {Reason.ARTIFACT_NOT_ALLOWED, Reason.CLAIM_NOT_MOUNTED}


def withhold(
    verdicts: Mapping[str, Verdict], serving: Mapping[str, Artifact], pool: ServingPool | None
) -> dict[str, Verdict]:
    """Those of the verdicts that are about a new artifact alone, or its distillation, while the one in `serving` is as
    it should be: what serves need not stop because of what may not come."""
    held = (
        (name, verdict)
        for name, verdict in verdicts.items()
        if verdict.reason in _ABOUT_WHAT_IS_NEW and name in serving and judge_artifact(serving[name].uri, pool).accepted
    )
    room = MAX_ENSEMBLES - sum(verdict.accepted for verdict in verdicts.values())
    return dict(itertools.islice(held, max(room, 0)))


def judge_adapters(
    adapters: Iterable[TenantAdapter],
    *,
    pool: ServingPool | None,
    ensembles: Mapping[str, Verdict],
    secrets: Collection[str],
) -> dict[str, Verdict]:
    """Verdicts by name on the adapters of one pool's ensembles.

    `ensembles` has the verdicts on all ensembles of the namespace that the adapters may name; `secrets` the names of
    the Secrets that hold an API key.
    """
    verdicts: dict[str, Verdict] = {}
    taken: defaultdict[str, int] = defaultdict(int)
    for adapter in sorted(adapters, key=lambda each: age_order(each.meta)):
        verdict = _judge_adapter(adapter, pool, ensembles, secrets)
        if verdict.accepted and taken[adapter.ensemble] >= MAX_ADAPTERS:
            message = f"spec.ensemble: {adapter.ensemble!r} has {MAX_ADAPTERS} adapters already; use another pool"
            verdict = Verdict(Reason.TOO_MANY, message)
        taken[adapter.ensemble] += verdict.accepted
        verdicts[adapter.meta.key.name] = verdict
    return verdicts


def age_order(meta: Meta) -> tuple[str, str]:
    """Sorts the oldest first; creationTimestamps are ISO 8601 in UTC, so text order is time order."""
    return meta.created, meta.key.name


def _judge_adapter(
    adapter: TenantAdapter, pool: ServingPool | None, ensembles: Mapping[str, Verdict], secrets: Collection[str]
) -> Verdict:
    ensemble = ensembles.get(adapter.ensemble)
    if ensemble is None:
        message = f"spec.ensemble: there is no StudentEnsemble {adapter.ensemble!r}; create it, or name another"
        return Verdict(Reason.ENSEMBLE_NOT_FOUND, message)
    if not ensemble.accepted:
        message = f"spec.ensemble: the StudentEnsemble {adapter.ensemble!r} is not accepted; see its conditions"
        return Verdict(Reason.ENSEMBLE_NOT_ACCEPTED, message)
    if adapter.api_key_secret is not None and adapter.api_key_secret not in secrets:
        message = f"spec.apiKeySecret.name: there is no Secret {adapter.api_key_secret!r} with the key apiKey"
        return Verdict(Reason.SECRET_NOT_FOUND, f"{message}; create it")
    return judge_artifact(adapter.artifact.uri, pool)


def _pinned(field: str, image: str, step: str) -> Verdict:
    if _BY_DIGEST.search(image):
        return VALID
    message = f"{field}: {image!r} names no digest, and this operator runs no other images"
    return Verdict(Reason.IMAGE_NOT_PINNED, f"{message}; {step}")


def _distillation(distill: Distill, pool: ServingPool, *, by_digest: bool) -> Verdict:
    """Whether the pool lets its ensembles distil, and its workers read the result."""
    if not pool.distillation:
        message = f"spec.distill: the pool {pool.meta.key.name!r} does not allow distillation Jobs"
        return Verdict(Reason.DISTILLATION_NOT_ALLOWED, f"{message}; set its spec.distillation to Allowed")
    if by_digest and distill.image:
        step = "write NAME@sha256:..., or leave the field out for the image of the pool's workers"
        verdict = _pinned("spec.distill.image", distill.image, step)
        if not verdict.accepted:
            return verdict
    return judge_artifact(distill.task.output, pool, field="spec.distill.output")


def judge_artifact(uri: str, pool: ServingPool | None, *, field: str = "spec.artifact.uri") -> Verdict:
    """Whether the pool lets its workers read there, and whether they can."""
    if pool is None:
        return VALID
    name = pool.meta.key.name
    if pool.allow is not None and not is_allowed(uri, pool.allow):
        message = f"{field}: {uri} is not below what the pool {name!r} allows ({_listed(pool.allow)})"
        step = "move the artifact there, or have its place added to spec.artifacts.allow of the pool"
        return Verdict(Reason.ARTIFACT_NOT_ALLOWED, f"{message}; {step}")
    claim = claim_of(uri)
    if claim is None or claim in pool.claims:
        return VALID
    message = f"{field}: the claim {claim!r} is not mounted; add it to spec.artifacts.claims of the pool"
    return Verdict(Reason.CLAIM_NOT_MOUNTED, f"{message} {name!r}")


def _listed(prefixes: Sequence[str]) -> str:
    shown = ", ".join(prefixes[:_SHOWN]) or "nothing"
    return f"{shown} and {len(prefixes) - _SHOWN} more" if len(prefixes) > _SHOWN else shown
