"""Paths inside a pod, seen from the host. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

# A path starts at the start of the text or after what usually precedes one: `--dir=/x`, `a:/x`, `'/x'`.
_BEFORE = r"(?:(?<=^)|(?<=[\s=:,;\"'(\[]))"
_AFTER = r"(?=$|[/\s:,;\"')\]])"


def rewrite(text: str, mounts: Mapping[str, Path]) -> str:
    """Replace every mount path in `text`, and every path below one, by the host's folder.

    `mounts` maps a path inside the pod to the folder on the host; the longest match wins, so that a mount inside
    of another mount is found. Nothing is replaced twice.
    """
    if not mounts:
        return text
    longest_first = sorted(mounts, key=len, reverse=True)
    pattern = _BEFORE + "(" + "|".join(re.escape(path) for path in longest_first) + ")" + _AFTER
    return re.sub(pattern, lambda match: str(mounts[match[1]]), text)


def mount_parents(paths: list[str]) -> dict[str, list[str]]:
    """The folders that hold nothing but mounts: for each, the mounts directly in it.

    `PHALANX_CLAIMS_DIR` is no mount itself; the claims are mounted below it, one folder each. Top-level
    folders such as `/var` are left out: they are the host's own.
    """
    parents: dict[str, list[str]] = {}
    for path in sorted(paths):
        parent = str(PurePosixPath(path).parent)
        if len(PurePosixPath(parent).parts) > 2 and parent not in paths:
            parents.setdefault(parent, []).append(path)
    return parents
