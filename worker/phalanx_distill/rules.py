"""The version of the training rules."""

from __future__ import annotations

from typing import Final

ALGORITHM: Final = 2
"""Part of every fingerprint: raise it with a change that makes old snapshots or results mean something else."""
