"""What an image is on this node, whose containers are processes: `phalanx` as it is installed, or the paced worker.

A pool asks for the latter with `spec.worker.image`, as it would for any image of its own.
"""

from __future__ import annotations

import sys
from typing import Final

from tests.e2e.kube import Object

PACED: Final = "phalanx-worker-paced"
"""The worker on a device of constant speed (`tests.e2e.paced`)."""


def with_program(pod: Object) -> Object:
    """The pod with the program of its image in place of `phalanx`."""
    containers = [_paced(each) if each.get("image") == PACED else each for each in pod["spec"]["containers"]]
    return pod | {"spec": pod["spec"] | {"containers": containers}}


def _paced(container: Object) -> Object:
    return container | {"command": [sys.executable, "-m", "tests.e2e.paced", *container["command"][1:]]}
