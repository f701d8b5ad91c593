"""Bounded, parallel GETs of the workers. A worker that does not answer costs a timeout and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from phalanx_operator.observe.targets import Target

PARALLEL = 32
"""Requests in flight for one pool."""
TIMEOUT_S = 3.0
"""For one worker, connection included: it answers from memory, so this is generous."""
MAX_BYTES = 16 * 1024 * 1024
"""The largest body that is read; a worker with 64 ensembles exposes well below 1 MB."""


class TooLargeError(Exception):
    """A body above MAX_BYTES."""


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises TooLargeError, and what aiohttp raises."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLargeError(f"the answer is larger than {MAX_BYTES >> 20} MiB")
    return bytes(body)


async def get_all(
    session: aiohttp.ClientSession, targets: Sequence[Target], path: str, *, timeout_s: float = TIMEOUT_S
) -> dict[str, bytes]:
    """The bodies of those workers that answered 200 in time, by pod name."""
    gate = asyncio.Semaphore(PARALLEL)

    async def one(target: Target) -> tuple[str, bytes | None]:
        async with gate:
            return target.pod, await _get(session, target.url + path, timeout_s)

    answers = await asyncio.gather(*(one(target) for target in targets))
    return {pod: body for pod, body in answers if body is not None}


async def _get(session: aiohttp.ClientSession, url: str, timeout_s: float) -> bytes | None:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with session.get(url, timeout=timeout, allow_redirects=False) as response:
            return await read_bounded(response) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError, TooLargeError):
        return None
