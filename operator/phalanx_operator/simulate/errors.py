"""What can be wrong with a wanted simulation."""

from __future__ import annotations


class SimulationError(ValueError):
    """It cannot be run; the text is one sentence that says why and what to do."""
