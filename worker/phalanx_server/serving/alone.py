"""Changing an artifact in a worker that has no room for two: the old one goes before the new one comes.

not ready (routers notice) -> the last answers -> the old one is let go -> the new one is loaded -> ready
                                                                              `-- fails --> the old one is loaded
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Final

import msgspec

from phalanx_contract.plan import Ensemble
from phalanx_server.serving.hosted import Hosted
from phalanx_server.settings import Settings

_POLL_S: Final = 0.02
_FREED_WITHIN_S: Final = 10.0
"""How long what was let go may still be held by a batch, before the load finds out by itself."""


def own_part(ensemble: Ensemble, *, pod: str, refused: str) -> Ensemble:
    """What an ensemble of the plan is for this worker: one that is named in `alone` goes straight for the candidate,
    unless it is the one with the digest `refused`, which failed here."""
    own, candidate = msgspec.structs.replace(ensemble, alone=()), ensemble.candidate
    if not pod or pod not in ensemble.alone:
        return own
    if candidate is None:
        return msgspec.structs.replace(own, alone=(pod,))
    if candidate.artifact.digest == refused:
        return msgspec.structs.replace(own, candidate=None)
    return msgspec.structs.replace(own, artifact=candidate.artifact, cut=candidate.cut, candidate=None, alone=(pod,))


async def make_room(hosted: Hosted, settings: Settings, *, announce: Callable[[], None]) -> None:
    """Let go of what serves, once its last requests are answered. The worker is not ready meanwhile."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(settings.unready_lag_s)
    until_s = loop.time() + settings.drain_s
    while hosted.admission.tokens and loop.time() < until_s:  # noqa: ASYNC110 - counted down by the engine's results
        await asyncio.sleep(_POLL_S)
    shelf, hosted.shelf = hosted.shelf, None
    if shelf is None:
        return
    shelf.close()
    grid = weakref.ref(shelf.model.grid)
    del shelf
    announce()
    until_s = loop.time() + _FREED_WITHIN_S
    while grid() is not None and loop.time() < until_s:
        await asyncio.sleep(_POLL_S)
        await asyncio.to_thread(gc.collect)
