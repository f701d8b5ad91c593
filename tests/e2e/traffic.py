"""Open-loop requests to a Service, and what became of each one.

Each request goes to one of the ready workers, drawn as a kube-proxy draws, and is sent once: what a client might try
again is counted here as what it was the first time.
"""

from __future__ import annotations

import asyncio
import enum
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phalanx_contract.runtime import HEADER_STUDENTS
from phalanx_load import Sample, Schedule, Target
from phalanx_load.protocols import PROTOCOLS
from phalanx_load.wire.client import Client, Failure
from phalanx_load.wire.parser import Response
from tests.e2e.artifacts import STUDENTS, Artifact
from tests.e2e.service import Service

TIMEOUT_S: Final = 20.0
_CONNECTIONS: Final = 512
_REFUSALS: Final = (429, 503)


class Outcome(enum.StrEnum):
    """What became of a request."""

    OPEN = "open"
    ANSWERED = "answered"
    """With a valid answer."""
    REFUSED = "refused"
    """429 or 503: the worker did not take it, and said so."""
    UNREACHED = "unreached"
    """Nobody took it: there was no ready worker, or nobody listened at its address."""
    BROKEN = "broken"
    """The connection ended before the answer came."""
    LATE = "late"
    """No answer in `TIMEOUT_S`."""
    WRONG = "wrong"
    """An answer that is not valid, or an error of the server."""


@dataclass(slots=True)
class Sent:
    """One request: when it was sent (s of the monotonic clock), to which pod, and what came of it."""

    at: float
    pod: str = ""
    outcome: Outcome = Outcome.OPEN
    ended_at: float = 0.0
    students: int = 0
    why: str = ""


def valid_answers(artifact: Artifact, text: str) -> Callable[[Response], bool]:
    """Whether an answer has the label that so many students of the artifact give the text, run in Python."""
    labels = {k: artifact.answers([text], students=k).labels[0] for k in range(1, STUDENTS + 1)}

    def valid(response: Response) -> bool:
        students = response.headers.get(HEADER_STUDENTS.lower(), "")
        label = PROTOCOLS["infer"].label(response.body)
        return students.isdecimal() and labels.get(int(students)) == label

    return valid


class Traffic:
    """Sends a text by the Open Inference Protocol; `valid` judges the answers that have status 200."""

    def __init__(
        self, service: Service, *, model: str, text: str, valid: Callable[[Response], bool], seed: int = 0
    ) -> None:
        self.sent: list[Sent] = []
        self._service, self._model, self._sample = service, model, Sample(text)
        self._valid = valid
        self._dice = random.Random(seed)
        self._clients: dict[str, Client] = {}
        self._requests: dict[str, bytes] = {}
        self._loop = asyncio.get_running_loop()

    async def drive(self, schedule: Schedule) -> None:
        """Send what is due, when it is due, until the schedule ends; answers may come later."""
        began = self._loop.time()
        for due_s in schedule.due_s:
            await asyncio.sleep(began + due_s - self._loop.time())
            self._send()

    async def settle(self) -> None:
        """Wait until every request has an outcome."""
        while any(each.outcome is Outcome.OPEN for each in self.sent):
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Drop all connections."""
        for client in self._clients.values():
            client.close()
        # They end in the loop's next turn.
        await asyncio.sleep(0)

    def _send(self) -> None:
        ticket, ready = len(self.sent), sorted(self._service.ready)
        sent = Sent(at=time.monotonic())
        self.sent.append(sent)
        if not ready:
            self._end(sent, Outcome.UNREACHED, "no worker is ready")
            return
        sent.pod = self._dice.choice(ready)
        address = self._service.ready[sent.pod]
        self._loop.call_later(TIMEOUT_S, self._give_up, ticket, address)
        self._client(address).send(ticket, self._requests[address])

    def _client(self, address: str) -> Client:
        if address not in self._clients:
            target = Target(url=f"http://{address}", protocol="infer", model=self._model)
            self._clients[address] = Client(
                target.address, secure=False, connections=_CONNECTIONS, done=self._done, resend=False
            )
            self._requests[address] = target.request(self._sample)
        return self._clients[address]

    def _done(self, ticket: int, outcome: Response | Failure) -> None:
        sent = self.sent[ticket]
        if isinstance(outcome, Failure):
            refused = outcome.why.startswith("cannot connect")
            self._end(sent, Outcome.UNREACHED if refused else Outcome.BROKEN, outcome.why)
        elif outcome.status in _REFUSALS:
            self._end(sent, Outcome.REFUSED, str(outcome.status))
        elif outcome.status == 200 and self._valid(outcome):
            sent.students = int(outcome.headers[HEADER_STUDENTS.lower()])
            self._end(sent, Outcome.ANSWERED, "")
        else:
            self._end(sent, Outcome.WRONG, f"{outcome.status} {outcome.body[:200]!r}")

    def _give_up(self, ticket: int, address: str) -> None:
        if self.sent[ticket].outcome is Outcome.OPEN:
            self._clients[address].abandon(ticket)
            self._end(self.sent[ticket], Outcome.LATE, f"no answer within {TIMEOUT_S:g} s")

    def _end(self, sent: Sent, outcome: Outcome, why: str) -> None:
        sent.outcome, sent.why, sent.ended_at = outcome, why, time.monotonic()
