"""Where an artifact came from, as JSON for its manifest. It holds no time, so that equal runs give equal artifacts."""

from __future__ import annotations

import importlib.metadata
from typing import Any


def versions() -> dict[str, str]:
    """The releases that decide what training gives."""
    return {name: importlib.metadata.version(name) for name in ("phalanx", "torch", "tokenizers")}


def of(fingerprint: str, **parts: Any) -> dict[str, Any]:
    """The provenance of a run: its fingerprint, what it was made from, and by which releases."""
    return {"fingerprint": fingerprint, **parts, "versions": versions()}
