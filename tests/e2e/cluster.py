"""The cluster that the tests run against, and the programs that they run against it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.binaries import REPOSITORY, need
from tests.e2e.audit import AuditLog

if TYPE_CHECKING:
    from tests.e2e.controlplane import ControlPlane

CHART: Final = REPOSITORY / "helm" / "phalanx-operator"
SYSTEM: Final = "phalanx-system"
"""The namespace of the operator."""
RELEASE: Final = "phalanx"
OPERATOR: Final = "deployment/phalanx-operator"
_IMAGES: Final = ("PHALANX_E2E_OPERATOR_IMAGE", "PHALANX_E2E_WORKER_IMAGE")


class CommandError(AssertionError):
    """A program failed that should not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """`pods` is the folder of the process node's pods, `audit` the API server's audit log, `plane` its processes; they
    are None in a cluster with nodes and a control plane of its own."""

    kubeconfig: Path
    pods: Path | None
    audit: AuditLog | None = None
    plane: ControlPlane | None = None

    def kubectl(self, *arguments: str | Path, check: bool = True, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints."""
        return self._run("kubectl", *arguments, check=check, stdin=stdin)

    def helm(self, *arguments: str | Path, check: bool = True) -> str:
        """Run helm in the operator's namespace and return what it prints."""
        return self._run("helm", *arguments, "--namespace", SYSTEM, check=check)

    def install(self, *settings: str) -> None:
        """Install or upgrade the chart and wait until the operator is ready.

        What an earlier call set is forgotten: helm would keep it where this one sets nothing.
        """
        sets = [part for setting in (*self._images(), *settings) for part in ("--set", setting)]
        self.helm("upgrade", "--install", RELEASE, CHART, "--create-namespace", "--reset-values", *sets)
        self.kubectl("rollout", "status", OPERATOR, "--namespace", SYSTEM, "--timeout=90s")

    def _images(self) -> list[str]:
        if self.pods is not None:
            return []
        settings = []
        for value, variable in zip(("image", "workerImage"), _IMAGES, strict=True):
            repository, _, tag = os.environ[variable].rpartition(":")
            settings += [f"{value}.repository={repository}", f"{value}.tag={tag}"]
        return settings

    def _run(self, program: str, *arguments: str | Path, check: bool, stdin: str | None = None) -> str:
        done = subprocess.run(
            [need(program, "run `make tools`"), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if check and done.returncode != 0:
            words = " ".join(map(str, arguments))
            raise CommandError(f"{program} {words}\nended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done.stdout if check else done.stdout + done.stderr


def given_cluster() -> Path | None:
    """The kubeconfig of a cluster that the tests were told to use.

    KUBECONFIG alone does not do: it may well name one that must not be installed into. Naming the images, which such
    a cluster needs in any case, says that it is meant.
    """
    if "KUBECONFIG" in os.environ and all(variable in os.environ for variable in _IMAGES):
        return Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
    return None
