"""Which children have to be written. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from phalanx_operator.api.types import Manifest


def contains(live: Any, wanted: Any) -> bool:
    """Whether everything that `wanted` says is so in `live`, which may say more (defaults, status, other owners)."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            contains(live.get(key), value) or (key not in live and value in ({}, [], None))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(contains(have, want) for have, want in zip(live, wanted, strict=True))
        )
    return bool(live == wanted)


def fingerprint(manifest: Manifest) -> str:
    """A hash of a manifest's content."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
