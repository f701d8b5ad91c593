"""What can be wrong with a wanted run."""

from __future__ import annotations


class LoadError(ValueError):
    """The load cannot be made; the text is one sentence that says why and what to do."""
