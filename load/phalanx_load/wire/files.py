"""How many connections this process can have: each is an open file."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

SPARE: Final = 64
"""Files that are open beside connections, or are to be: logs, pipes, figures, pictures."""


def allow(connections: int) -> int:
    """Raise the limit of open files as far as the connections need it; so many of them as fit in then, at least one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= connections + SPARE:
        return connections
    limit = connections + SPARE if hard == resource.RLIM_INFINITY else min(connections + SPARE, hard)
    with suppress(ValueError, OSError):  # a system may have bounds of its own below the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return max(1, min(connections, soft - SPARE))
