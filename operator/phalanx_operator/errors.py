"""What can go wrong between the operator and what it runs on.

ClusterError             a read or write failed; the round goes on with the other objects and is tried again
├── apply.api.ApiError   the Kubernetes API server refused it or could not be reached
└── FencedError          a write was kept back here, since another replica may be the leader by now
"""

from __future__ import annotations


class ClusterError(Exception):
    """One line that says which object, and what the other side said."""

    retry_after_s: float | None = None
    """What the other side asked to be given before the next try."""

    @property
    def refused(self) -> bool:
        """The other side will not have it, however often it is asked; only a change of what is asked helps."""
        return False


class FencedError(ClusterError):
    """The lease has run out; nothing was sent."""
