"""Kubernetes' own schemas, as a package carries them: no network, and unknown fields are refused."""

from __future__ import annotations

from typing import Final

from kubernetes_validate import SchemaNotFoundError, ValidationError, latest_version, validate

from phalanx_operator.api.check import KIND_NAMES
from phalanx_operator.api.check import validate as validate_ours
from phalanx_operator.api.types import Manifest

VERSIONS: Final = ("1.25", "1.30", latest_version())
"""The oldest release that the package knows, one between, and the newest."""
FOREIGN: Final = ("ServiceMonitor", "PrometheusRule", "PodMonitor", "ScaledObject", "TriggerAuthentication")
"""Kinds of other operators, whose schemas are theirs."""


def faults(manifest: Manifest, *, version: str) -> list[str]:
    """What is wrong with an object, each with its path; an API that the release does not serve is a fault."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    if manifest["kind"] in KIND_NAMES:
        return [f"{name}: {path}: {message}" for path, message in validate_ours(manifest)]
    if manifest["kind"] in FOREIGN:
        return []
    try:
        validate(manifest, version, strict=True)
    except SchemaNotFoundError:
        return [f"{name}: {manifest['apiVersion']} is not served by Kubernetes {version}"]
    except ValidationError as error:
        return [f"{name}: {'.'.join(map(str, error.path))}: {error.message}"]
    return []
