"""Waiting for what happens on other threads."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 30.0) -> None:
    """Poll until the condition holds; fails after the deadline."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        assert loop.time() < deadline_s, f"did not happen within {within_s} s: {inspect.getsource(condition).strip()}"
        await asyncio.sleep(0.01)
