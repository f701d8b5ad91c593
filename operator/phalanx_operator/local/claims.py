"""Claims that resources name, each of which needs a folder on this machine. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from phalanx_operator.api.locations import claim_of
from phalanx_operator.api.types import Manifest

_READ_OR_WRITTEN = ("teacher", "data", "output", "work")
"""What of `spec.distill` names a place."""


def next_step(claim: str) -> str:
    """What to do about a claim without a folder."""
    return f"name the folder that stands for it: --claim {claim}=DIR"


def without_folder(objects: Iterable[Manifest], claims: Collection[str]) -> list[str]:
    """A fault for each claim that a resource names and that is none of `claims`, with the field."""
    return [
        f"{obj['kind']} {obj['metadata']['name']}: {field}: there is no claim {claim} here; {next_step(claim)}"
        for obj in objects
        for field, claim in _named(obj)
        if claim not in claims
    ]


def _named(obj: Manifest) -> Iterator[tuple[str, str]]:
    """Fields of a pool or an ensemble, and the claims in them."""
    if obj["kind"] == "ServingPool":
        for claim in obj["spec"].get("artifacts", {}).get("claims", ()):
            yield "spec.artifacts.claims", claim
    if obj["kind"] == "StudentEnsemble":
        distill = obj["spec"].get("distill", {})
        for key in _READ_OR_WRITTEN:
            if claim := claim_of(distill.get(key, "")):
                yield f"spec.distill.{key}", claim
