"""Two replicas on one lease: one ends, one is stopped for longer than the lease, one is killed.

Never two writers, as the API server's audit log tells, while the spec changes all the time.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e import resources
from tests.e2e.audit import Request
from tests.e2e.cluster import Cluster
from tests.e2e.kube import ApiError, Kube, path_of
from tests.e2e.replicas import Replica, alive, api_server, held_by, holder, leads, revoke, scale, start
from tests.e2e.waiting import NotYet, eventually

POOL = "gpus"
LEASE_S = 15.0
TAKEOVER_S = LEASE_S + 2 * 2.4 + 10.0
"""Lease and retry, and what two busy cores add."""


class Pair:
    """Two replicas; one of them leads."""

    def __init__(self, cluster: Cluster, kube: Kube, folder: Path, namespace: str) -> None:
        self.cluster = cluster
        self._folder = folder
        self._pool = path_of("ServingPool", POOL, namespace=namespace)
        self.kube = kube
        self.replicas = {name: start(cluster, folder, name) for name in ("ann", "bob")}

    async def roles(self) -> tuple[Replica, Replica]:
        """The leader and the standby, once both are ready."""
        for replica in self.replicas.values():

            async def ready(replica: Replica = replica) -> None:
                replica.said("leads: it holds the lease" if await holder(self.kube) == replica.name else "stands by")

            await eventually(ready, within_s=60)
        leader = self.replicas[await holder(self.kube)]
        (standby,) = (each for each in self.replicas.values() if each is not leader)
        return leader, standby

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Change the pool's spec all the time, so that whoever may write has something to write."""

        async def change() -> None:
            for number in range(10_000):
                spec = {"worker": {"terminationGracePeriodSeconds": 10 + number % 2}}
                with suppress(ApiError, OSError):
                    await self.kube.merge(self._pool, {"spec": spec})
                await asyncio.sleep(0.3)

        changes = asyncio.create_task(change())
        try:
            yield
        finally:
            changes.cancel()
            await asyncio.gather(changes, return_exceptions=True)

    def end_of_log(self) -> int:
        assert self.cluster.audit is not None
        return self.cluster.audit.end()

    def writes(self, since: int) -> list[Request]:
        """What the two asked to be written, in the order in which it arrived."""
        assert self.cluster.audit is not None
        users = {replica.user for replica in self.replicas.values()}
        asked = self.cluster.audit.requests(since=since)
        return sorted((each for each in asked if each.writes and each.user in users), key=lambda each: each.at)

    async def somebody_wrote(self, since: int) -> None:
        """Raises NotYet before that."""
        if not [each for each in self.writes(since) if each.code < 300]:
            raise NotYet("nobody has written")

    async def wrote(self, replica: Replica, since: int, *, times: int = 3) -> None:
        """Raises NotYet before it has written so often."""
        found = [each for each in self.writes(since) if each.user == replica.user and each.code < 300]
        if len(found) < times:
            raise NotYet(f"{replica.name} has written {len(found)} times")


@pytest.fixture(scope="module")
def alone(release: Cluster) -> Iterator[Cluster]:
    """The cluster without the release's own operator."""
    if release.pods is None or release.audit is None:
        pytest.skip("needs the process node and its control plane's audit log")
    scale(release, 0)
    yield release
    scale(release, 1)


@pytest.fixture
async def pair(alone: Cluster, kube: Kube, namespace: tuple[str, Path], tmp_path: Path) -> AsyncIterator[Pair]:
    path = path_of("ServingPool", POOL, namespace=namespace[0])
    # No workers: what is written is what counts here.
    await kube.apply(path, resources.pool(POOL, replicas={"min": 0, "max": 1}))
    pair = Pair(alone, kube, tmp_path, namespace[0])
    try:
        yield pair
    finally:
        for replica in pair.replicas.values():
            replica.end()
            revoke(alone, replica.name)


async def test_a_leader_that_ends_in_order_hands_over_at_once(pair: Pair):
    leader, standby = await pair.roles()
    begin = pair.end_of_log()
    async with pair.changing():
        await eventually(lambda: pair.wrote(leader, begin), within_s=30)
        assert {each.user for each in pair.writes(begin)} == {leader.user}, "a standby writes nothing"
        leader.send(signal.SIGTERM)
        await eventually(lambda: held_by(pair.kube, standby.name), within_s=LEASE_S - 3)
        assert leader.process.wait(20) == 0
        handed_over = pair.end_of_log()
        await eventually(lambda: pair.wrote(standby, handed_over), within_s=30)
    users = [each.user for each in pair.writes(begin)]
    assert users == sorted(users, key=[leader.user, standby.user].index), "each wrote in its time alone"


async def test_a_leader_that_was_stopped_for_longer_than_its_lease_writes_nothing_when_it_goes_on(pair: Pair):
    leader, standby = await pair.roles()
    begin = pair.end_of_log()
    async with pair.changing():
        await eventually(lambda: pair.wrote(leader, begin), within_s=30)
        leader.send(signal.SIGSTOP)
        await eventually(lambda: held_by(pair.kube, standby.name), within_s=TAKEOVER_S)
        taken = pair.end_of_log()
        await eventually(lambda: pair.wrote(standby, taken), within_s=30)
        leader.send(signal.SIGCONT)
        await eventually(lambda: _said(leader, "leads no more"), within_s=30)
        awake = pair.end_of_log()
        await eventually(lambda: pair.wrote(standby, awake, times=6), within_s=30)
    assert {each.user for each in pair.writes(taken)} == {standby.user}
    assert await holder(pair.kube) == standby.name


async def test_a_leader_that_is_killed_is_followed_within_the_lease_and_a_try(pair: Pair):
    leader, standby = await pair.roles()
    begin = pair.end_of_log()
    async with pair.changing():
        await eventually(lambda: pair.wrote(leader, begin), within_s=30)
        leader.send(signal.SIGKILL)
        leader.process.wait(10)
        killed = pair.end_of_log()
        await eventually(lambda: pair.wrote(standby, killed, times=1), within_s=TAKEOVER_S)
    assert {each.user for each in pair.writes(killed)} == {standby.user}


async def test_an_api_server_that_hangs_costs_the_lead_and_no_process_and_all_goes_on_after_it(pair: Pair):
    leader, standby = await pair.roles()
    server = api_server(pair.cluster)
    begin = pair.end_of_log()
    async with pair.changing():
        await eventually(lambda: pair.wrote(leader, begin), within_s=30)
        server.suspend()
        try:
            await eventually(lambda: _leads(leader, False), within_s=30)
            assert not await leads(standby), "nobody leads while nobody can tell who does"
        finally:
            server.resume()
        back = pair.end_of_log()
        await eventually(lambda: pair.somebody_wrote(back), within_s=30)
    for replica in (leader, standby):
        assert replica.process.poll() is None
        assert await alive(replica)
    assert len({each.user for each in pair.writes(back)}) == 1


async def _leads(replica: Replica, wanted: bool) -> None:
    if await leads(replica) != wanted:
        raise NotYet(f"{replica.name} {'leads' if not wanted else 'stands by'}")


async def _said(replica: Replica, text: str) -> None:
    replica.said(text)
