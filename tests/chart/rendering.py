"""Runs helm and reads what it prints."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.binaries import REPOSITORY, need

CHART: Final = REPOSITORY / "helm" / "phalanx-operator"
FULL_VALUES: Final = Path(__file__).parent / "full-values.yaml"
HA_VALUES: Final = Path(__file__).parent / "ha-values.yaml"
VALUES: Final[dict[str, tuple[str | Path, ...]]] = {
    "default": (),
    "full": ("--values", FULL_VALUES),
    "ha": ("--values", HA_VALUES),
    "namespaced": ("--set", "watchNamespaces[0]=models"),
    "bare": ("--set", "crds.install=false,rbac.create=false,serviceAccount.create=false,metrics.enabled=false"),
}
"""Arguments of helm by what they stand for; what holds of the chart holds with each."""


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm; skip the test where there is none."""
    program = need("helm", "run `make tools`")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def render(*arguments: str | Path, chart: Path = CHART) -> list[dict[str, Any]]:
    """The objects of `helm template`."""
    done = helm("template", "phalanx", chart, "--namespace", "phalanx-system", *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(kind: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [item for item in objects if item["kind"] == kind]


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The only one of its kind."""
    (found,) = of_kind(kind, objects)
    return found
