"""A worker in virtual time: Poisson arrivals, one device with noise, the real estimator, guard and capacity model."""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from phalanx_server.batching.arrivals import Arrivals
from phalanx_server.batching.burst import Bounds, BurstPolicy, BurstState, Demand, pick_students
from phalanx_server.batching.capacity import Capacity, Cost


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of constant offered load, in parts of what the device computes with all students.

    `slowdown`: batches take so many times as long as they should, as where clients share the cores.
    """

    seconds: float
    load: float
    slowdown: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """What batches cost in truth: `text_s` for one text with one student, as much again for each further one."""

    students: int = 4
    text_s: float = 0.0015
    fixed_s: float = 0.002
    noise: float = 0.15
    tokens: int = 11

    def capacity(self) -> Capacity:
        """The model without noise."""
        costs = (
            Cost(fixed_s=self.fixed_s * (1 + k / 4), tokens_per_s=self.tokens / self.text_s / k)
            for k in range(1, self.students + 1)
        )
        return Capacity(tuple(costs), batch_tokens=1024)


@dataclass(frozen=True, slots=True)
class Answer:
    """One text: when it came, how long it took, how many students it had."""

    at_s: float
    latency_s: float
    students: int


@dataclass(frozen=True, slots=True)
class Request:
    """What one client sends at once: tokens of each text."""

    at_s: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """One text that waits, and the most tokens a second that may have been arriving before its request."""

    at_s: float
    tokens: int
    before: float


@dataclass(slots=True)
class Worker:
    """One ensemble alone on a device. `answers`, and `steps` (end of a batch, students), are complete after `run`."""

    device: Device
    policy: BurstPolicy
    seed: int
    floor: int = 1
    answers: list[Answer] = field(default_factory=list)
    steps: list[tuple[float, int]] = field(default_factory=list)

    def run(self, phases: Sequence[Phase]) -> None:
        """All phases, until everything is answered."""
        chance = random.Random(self.seed)
        due = [Request(at_s, (tokens,)) for at_s, tokens in self._due(phases, chance)]
        self.serve(due, slowdown=lambda now_s: _slowdown(phases, now_s), chance=chance)

    def serve(
        self,
        requests: Sequence[Request],
        *,
        slowdown: Callable[[float], float] = lambda now_s: 1.0,
        chance: random.Random | None = None,
    ) -> None:
        """All requests, in the order of their times, until everything is answered."""
        chance = chance or random.Random(self.seed)
        truth = believed = self.device.capacity()
        arrivals, state, now_s = Arrivals(), None, 0.0
        due, waiting = deque(requests), deque[Text]()
        bounds = Bounds(floor=self.floor, ceiling=self.device.students)
        while due or waiting:
            if not waiting:
                now_s = max(now_s, due[0].at_s)
            while due and due[0].at_s <= now_s:
                request = due.popleft()
                before = arrivals.rate(request.at_s).high
                tokens, texts = sum(request.tokens), len(request.tokens)
                arrivals = arrivals.counted(texts=texts, tokens=tokens, now_s=request.at_s)
                waiting += [Text(request.at_s, each, before) for each in request.tokens]
            demand = Demand(
                tokens=sum(text.tokens for text in waiting), offered=arrivals.rate(now_s), before=waiting[0].before
            )
            state = pick_students(state, demand, bounds, capacity=believed, policy=self.policy, now_s=now_s)
            batch = self._take(waiting, believed, state)
            tokens = sum(text.tokens for text in batch)
            noise = math.exp(chance.gauss(0, self.device.noise))
            seconds = truth.seconds(students=state.students, tokens=tokens) * noise * slowdown(now_s)
            believed = believed.observe(students=state.students, tokens=tokens, seconds=seconds)
            now_s += seconds
            self.steps.append((now_s, state.students))
            self.answers += [Answer(text.at_s, now_s - text.at_s, state.students) for text in batch]

    def _take(self, waiting: deque[Text], capacity: Capacity, state: BurstState) -> list[Text]:
        room = capacity.tokens_within(students=state.students, seconds=self.policy.batch_s)
        batch = [waiting.popleft()]
        while waiting and len(batch) < 64 and sum(text.tokens for text in batch) + waiting[0].tokens <= room:
            batch.append(waiting.popleft())
        return batch

    def _due(self, phases: Sequence[Phase], chance: random.Random) -> Iterator[tuple[float, int]]:
        start_s = 0.0
        full = self.texts_per_s(self.device.students)
        for phase in phases:
            at_s = start_s + chance.expovariate(phase.load * full)
            while at_s < start_s + phase.seconds:
                yield at_s, chance.randint(self.device.tokens // 2, self.device.tokens * 3 // 2)
                at_s += chance.expovariate(phase.load * full)
            start_s += phase.seconds

    def texts_per_s(self, students: int) -> float:
        """What the device computes in batches that the objective allows."""
        capacity = self.device.capacity().within(students=students, seconds=self.policy.batch_s)
        return capacity.tokens_per_s(students) / self.device.tokens

    def p99_s(self, start_s: float, end_s: float) -> float:
        """Of the texts that came in between."""
        latencies = sorted(answer.latency_s for answer in self.answers if start_s <= answer.at_s < end_s)
        return latencies[math.ceil(0.99 * len(latencies)) - 1]

    def changes(self, start_s: float) -> int:
        """How often the number of students changed from then on."""
        counts = [students for at_s, students in self.steps if at_s >= start_s]
        return sum(before != after for before, after in itertools.pairwise(counts))

    def since(self, students: int) -> float:
        """From when on there were so many to the end; infinite if never."""
        held = list(itertools.takewhile(lambda step: step[1] == students, reversed(self.steps)))
        return held[-1][0] if held else math.inf


def _slowdown(phases: Sequence[Phase], now_s: float) -> float:
    """How slow the device is; as in the last phase after the end."""
    ends = itertools.accumulate(phase.seconds for phase in phases)
    return next((phase.slowdown for phase, end_s in zip(phases, ends, strict=True) if now_s < end_s), 1.0)
