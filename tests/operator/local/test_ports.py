"""Which port each pool of `phalanx up` gets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from phalanx_operator.api.check import with_defaults
from phalanx_operator.local.files import Loaded
from phalanx_operator.local.state import StateDir
from phalanx_operator.local.up import Options, Up


def pools(*names: str) -> Loaded:
    """Pools as the files would give them."""
    base = {"apiVersion": "phalanx.dev/v1alpha1", "kind": "ServingPool", "spec": {}}
    metadata = ({"name": name, "namespace": "default"} for name in names)
    return Loaded([with_defaults("ServingPool", {**base, "metadata": each}) for each in metadata])


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        if all(map(_is_free, range(first, first + count))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return port < 65536 and probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    with StateDir(tmp_path / "state", keep_logs=False) as folder:
        yield folder


def urls(said: list[str]) -> dict[str, int]:
    """The port that was told last, by pool."""
    words = [line.split() for line in said if line.startswith("pool ")]
    return {name: int(url.rpartition(":")[2]) for _, name, _, url in words}


async def test_a_pool_gets_the_first_port_that_no_other_pool_has(state: StateDir):
    first, said = free_ports(3), []
    async with aiohttp.ClientSession() as session:
        up = Up(Options(paths=[], state=state, port=first), session, show=print, say=said.append)
        try:
            await up.take(pools("a", "b"))
            await up.take(pools("b"))
            await up.take(pools("b", "c", "d"))
        finally:
            await up.close()
    assert urls(said) == {"a": first, "b": first + 1, "c": first, "d": first + 2}


async def test_a_port_that_is_taken_is_told_with_the_pool_and_what_to_do(state: StateDir):
    async with aiohttp.ClientSession() as session:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            up = Up(Options(paths=[], state=state, port=port), session, show=print, say=print)
            with pytest.raises(OSError, match=f"pool a: port {port}: .*; choose another with --port"):
                await up.take(pools("a"))
            await up.close()
