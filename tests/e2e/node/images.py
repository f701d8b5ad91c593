"""What an image is on this node, whose containers are processes: whose code it runs, and that some cannot be pulled.

`phalanx` is the one that is installed, that of the previous release where the image has its tag, or the paced worker: a
pool asks for it with `spec.worker.image`, as it would for any image of its own.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phalanx_operator.local.runner import ProcessRunner
from phalanx_operator.reconcile.backoff import Backoff
from tests.e2e.kube import Object
from tests.releases import previous

PACED: Final = "phalanx-worker-paced"
"""The worker on a device of constant speed (`tests.e2e.paced`)."""
UNPULLABLE: Final = "registry.invalid/"
"""Images of this registry cannot be pulled, as those that do not exist or that the node has no right to."""


class PullError(Exception):
    """As the container runtime says it."""


class Images:
    """The code of the tag of the previous release is that release's; every other tag is this checkout."""

    def __init__(self, root: Path, *, backoff: Backoff, environ: Mapping[str, str]) -> None:
        self._runner = ProcessRunner(root, backoff=backoff, environ=environ)
        self._release = previous()
        self._code = root / "images" / self._release.version
        path = os.pathsep.join(filter(None, (str(self._code), environ.get("PYTHONPATH"))))
        self._previous = ProcessRunner(root, backoff=backoff, environ={**environ, "PYTHONPATH": path})

    def pull(self, pod: Object) -> ProcessRunner:
        """What runs the pod with the code of its image.

        Raises:
            PullError: the image is one that cannot be had.
        """
        image: str = pod["spec"]["containers"][0]["image"]
        if image.startswith(UNPULLABLE):
            raise PullError(
                f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve '
                f'reference "{image}": {image}: not found'
            )
        if image.rpartition(":")[2] != self._release.version:
            return self._runner
        if not self._code.exists():
            zipfile.ZipFile(self._release.wheel).extractall(self._code)
        return self._previous


def with_program(pod: Object) -> Object:
    """The pod with the program of its image in place of `phalanx`."""
    containers = [_paced(each) if each.get("image") == PACED else each for each in pod["spec"]["containers"]]
    return pod | {"spec": pod["spec"] | {"containers": containers}}


def _paced(container: Object) -> Object:
    return container | {"command": [sys.executable, "-m", "tests.e2e.paced", *container["command"][1:]]}
