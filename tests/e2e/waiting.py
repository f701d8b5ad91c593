"""Polling with a deadline, and a message that says what was last seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class NotYet(Exception):  # noqa: N818 - not an error until the deadline has passed
    """What is waited for has not happened; the text says what is seen instead."""


async def eventually(probe: Callable[[], Awaitable[T]], *, within_s: float, every_s: float = 0.25) -> T:
    """Call `probe` until it returns instead of raising `NotYet` or `AssertionError`.

    Raises:
        AssertionError: the deadline passed; the text ends with what the last probe said.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await probe()
        except (NotYet, AssertionError) as problem:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s:g} s: {problem}") from problem
        await asyncio.sleep(every_s)
