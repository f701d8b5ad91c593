"""Which kube-apiserver to run: some builds cannot store a single custom resource.

Kubernetes before 1.24 carries reflect2 1.0.1, which calls `reflect.mapiterinit` with the signature that it had before
Go 1.18. Built with a newer Go, as on a distribution, such a server writes an iterator over whatever a register points
to, each time it encodes the metadata of a custom resource, and dies of SIGSEGV. `tests/tools/mend-apiserver` builds
the same release with the one call put right (as in reflect2 1.0.2) and keeps it in the user's cache.

Standard library only: `make tools` runs this before there is a virtual environment.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

_BUILD_INFO = b"\xff Go buildinf:"
_INLINE = 2
"""Flag of the build info of Go 1.18 and later (debug/buildinfo)."""
FIXED_FILE = "go_above_118.go"
"""The file of reflect2 that has the new call; its name is in the line table of every binary that has it."""


def affected(binary: Path) -> bool:
    """Whether this build crashes on custom resources."""
    with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        info = data.find(_BUILD_INFO)
        new_go = info >= 0 and bool(data[info + len(_BUILD_INFO) + 1] & _INLINE)
        return new_go and data.find(b"modern-go/reflect2/") >= 0 and data.find(FIXED_FILE.encode()) < 0


def mended(binary: Path) -> Path:
    """Where the mended build of exactly this binary lies, or would lie."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    with binary.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return cache / "phalanx" / f"kube-apiserver-{digest[:16]}"
