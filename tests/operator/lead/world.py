"""A world for candidates: one Lease, clocks that run apart, requests that are late, lost, or answered to nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from phalanx_operator.lead.election import (
    Candidate,
    Record,
    claim,
    leads,
    observed,
    over_by,
    released,
    wrote,
)


@dataclass
class Server:
    """Keeps the Lease as an API server does: a write of any version but the newest is refused."""

    record: Record | None = None
    written: int = 0

    def write(self, record: Record) -> Record | None:
        """The record with its new version; None if refused."""
        if record.version != (self.record.version if self.record else ""):
            return None
        self.written += 1
        self.record = replace(record, version=str(self.written))
        return self.record


@dataclass
class Replica:
    """A process. `rate` and `offset` are its clock's; `mail` is what is on its way to the server, and back."""

    candidate: Candidate
    rate: float
    offset: float
    mail: list[Callable[[float], None]] = field(default_factory=list)
    writing_until: float = float("-inf")
    """The moment (s of the world) by which its last write is over."""

    def clock(self, at: float) -> float:
        return at * self.rate + self.offset

    def leads(self, at: float) -> bool:
        return leads(self.candidate, now=self.clock(at))


class World:
    """Time is `at`, in seconds that no replica sees. Each method is one thing that may happen."""

    def __init__(self, clocks: list[tuple[float, float]]) -> None:
        self.at = 0.0
        # As the chart makes it.
        self.server = Server(Record(holder="", lease_s=0.0, version="0"))
        self.replicas = [
            Replica(Candidate(identity=f"replica-{number}"), rate, offset)
            for number, (rate, offset) in enumerate(clocks)
        ]

    def leaders(self) -> list[str]:
        return [each.candidate.identity for each in self.replicas if each.leads(self.at)]

    def pass_time(self, seconds: float) -> None:
        self.at += seconds

    def ask(self, number: int) -> None:
        """A replica sends a request to read the Lease."""
        replica = self.replicas[number]
        replica.mail.append(lambda at: self._answer(replica, self.server.record))

    def stand(self, number: int) -> None:
        """A replica sends a claim, if its view allows one."""
        replica = self.replicas[number]
        asked_at = replica.clock(self.at)
        record = claim(replica.candidate, now=asked_at, stamp=str(self.at))
        if record is not None:
            replica.mail.append(lambda at: self._decide(replica, record, asked_at))

    def deliver(self, number: int) -> None:
        """The oldest message of a replica arrives where it was going."""
        mail = self.replicas[number].mail
        if mail:
            mail.pop(0)(self.at)

    def lose(self, number: int) -> None:
        """The oldest message of a replica is lost: a request that was not sent, or an answer that was not read."""
        mail = self.replicas[number].mail
        if mail:
            mail.pop(0)

    def crash(self, number: int) -> None:
        """Killed and started again under the same name, as a container is; its connections are gone."""
        before = self.replicas[number]
        self.replicas[number] = Replica(Candidate(identity=before.candidate.identity), before.rate, before.offset)

    def release(self, number: int) -> None:
        """A clean stop, which waits for its writes; another process takes its place."""
        replica = self.replicas[number]
        record = released(replica.candidate, stamp=str(self.at))
        if replica.writing_until > self.at:
            return
        if record is not None:
            self.server.write(record)
        self.crash(number)

    def delete(self) -> None:
        """Somebody deletes the Lease."""
        self.server.record = None

    def write(self, number: int) -> list[str]:
        """A replica begins a write, if it may; returns the replicas whose writes are still under way then."""
        replica = self.replicas[number]
        if not replica.leads(self.at):
            return []
        over = over_by(replica.candidate)
        assert over is not None
        replica.writing_until = (over - replica.offset) / replica.rate
        others = (each for each in self.replicas if each is not replica)
        return [each.candidate.identity for each in others if each.writing_until > self.at]

    def turn(self, number: int) -> None:
        """What a replica does every two seconds where nothing goes wrong."""
        for step in (self.ask, self.deliver, self.deliver, self.stand, self.deliver, self.deliver):
            step(number)

    def turns(self, numbers: set[int], seconds: float) -> None:
        """Some replicas take their turn, the others are paused or cut off; then time passes."""
        for number in sorted(numbers):
            self.turn(number % len(self.replicas))
        self.pass_time(seconds)

    def cut_off(self, number: int, alone_s: float, more_s: float) -> list[str]:
        """A replica that was just seen by all is cut off and begins a write late; then the others try to take over."""
        self.turn(number)
        others = [other for other in range(len(self.replicas)) if other != number]
        for other in others:
            self.turn(other)
        self.pass_time(alone_s)
        self.write(number)
        self.pass_time(more_s)
        beside = []
        for other in others:
            self.turn(other)
            beside += self.write(other)
        return beside

    def late(self, number: int, there_s: float, back_s: float) -> None:
        """A claim is late, and so is its answer; the other replicas see the Lease in between."""
        self.replicas[number].mail.clear()
        self.stand(number)
        self.pass_time(there_s)
        self.deliver(number)
        for other in range(len(self.replicas)):
            if other != number:
                self.turn(other)
        self.pass_time(back_s)
        self.deliver(number)

    def _answer(self, replica: Replica, record: Record | None) -> None:
        """The server read it; the answer is on its way."""
        replica.mail.insert(0, lambda at: self._read(replica, record, at))

    def _read(self, replica: Replica, record: Record | None, at: float) -> None:
        replica.candidate = observed(replica.candidate, record, now=replica.clock(at))

    def _decide(self, replica: Replica, record: Record, asked_at: float) -> None:
        written = self.server.write(record)
        if written is not None:
            replica.mail.insert(0, lambda at: self._win(replica, written, asked_at, at))

    def _win(self, replica: Replica, record: Record, asked_at: float, at: float) -> None:
        replica.candidate = wrote(replica.candidate, record, asked_at=asked_at, now=replica.clock(at))
