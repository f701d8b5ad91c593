"""Trying a load until it works, or cannot work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from phalanx_contract.worker import LoadReason
from phalanx_grid.panics import STOPS
from phalanx_server.loading.failure import LoadFailure, as_failure

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")


async def attempt(
    load: Callable[[], Awaitable[Loaded]],
    *,
    what: str,
    delays_s: Iterable[float],
    on_failure: Callable[[LoadFailure], None],
) -> Loaded | None:
    """The loaded thing; None after a permanent failure. Each failure is reported; transient ones are tried again."""
    for delay_s in delays_s:
        try:
            return await load()
        except LoadFailure as failure:
            again = f"; again in {delay_s:g} s" if failure.transient else ""
            # The reason says it all, unless nobody thought of it.
            trace = failure.__cause__ if failure.reason is LoadReason.INTERNAL else None
            log.warning("%s is not loaded: %s%s", what, failure, again, exc_info=trace)
            on_failure(failure)
            if not failure.transient:
                return None
        await asyncio.sleep(delay_s)
    return None


async def told(load: Callable[[], Awaitable[None]], *, what: str, on_failure: Callable[[LoadFailure], None]) -> None:
    """Await all of a load. What nobody thought of is reported as a failure for good: nothing is left loading for ever,
    and nobody waits for it."""
    try:
        await load()
    except STOPS:
        raise
    except BaseException as error:
        failure = as_failure(error)
        log.error("%s is not loaded: %s", what, failure, exc_info=error)
        on_failure(failure)
