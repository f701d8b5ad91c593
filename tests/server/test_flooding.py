"""Tenants that flood an ensemble beside tenants that ask seldom, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_server.batching.admission import RESERVE, Admission, Admit, Ask, QueueBound

RATE = 1000.0
BOUND = QueueBound(limit_tokens=1000.0, tokens_per_s=RATE)
BATCH_TOKENS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A tenant that asks at random: tokens of a request, and offered tokens as a part of what is computed."""

    tokens: int
    load: float


@dataclass(slots=True)
class Queue:
    """A device that takes requests in their order, and an admission in front. Counts are by tenant."""

    clients: dict[str, Client]
    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    done_tokens: Counter[str] = field(default_factory=Counter)
    longest_tokens: int = 0

    def run(self, seconds: float) -> None:
        """So long."""
        chance, admission = random.Random(self.seed), Admission()
        due = [(chance.expovariate(self._per_s(name)), name) for name in self.clients]
        heapq.heapify(due)
        waiting, running, free_s = deque[tuple[str, int]](), list[tuple[str, int]](), 0.0
        while min(due[0][0], free_s if running else seconds) < seconds:
            if running and free_s <= due[0][0]:
                now_s = free_s
                for name, tokens in running:
                    admission.settle(tenant=name, tokens=tokens)
                    self.done_tokens[name] += tokens
                running = []
            else:
                now_s, name = heapq.heappop(due)
                heapq.heappush(due, (now_s + chance.expovariate(self._per_s(name)), name))
                self._ask(name, waiting, admission, now_s)
            if not running and waiting:
                running = _batch(waiting)
                free_s = now_s + sum(tokens for _, tokens in running) / RATE

    def _ask(self, name: str, waiting: deque[tuple[str, int]], admission: Admission, now_s: float) -> None:
        tokens = self.clients[name].tokens
        self.asked[name] += 1
        if isinstance(admission.decide(Ask(tenant=name, tokens=tokens), BOUND, now_s=now_s), Admit):
            self.admitted[name] += 1
            waiting.append((name, tokens))
        self.longest_tokens = max(self.longest_tokens, admission.tokens)

    def _per_s(self, name: str) -> float:
        return self.clients[name].load * RATE / self.clients[name].tokens


def _batch(waiting: deque[tuple[str, int]]) -> list[tuple[str, int]]:
    batch = [waiting.popleft()]
    while waiting and sum(tokens for _, tokens in batch) + waiting[0][1] <= BATCH_TOKENS:
        batch.append(waiting.popleft())
    return batch


def run_of(clients: dict[str, Client], *, seed: int, seconds: float = 200.0) -> Queue:
    queue = Queue(clients, seed)
    queue.run(seconds)
    return queue


floods = st.lists(st.builds(Client, tokens=st.integers(5, 100), load=st.floats(1.2, 10)), min_size=1, max_size=3)
seeds = st.integers(0, 10**6)
CHANCE = settings(deadline=None, derandomize=True, max_examples=12)


@CHANCE
@given(floods, st.integers(1, 3), st.floats(0.02, 0.5), st.floats(0.02, 0.1), seeds)
def test_who_asks_for_at_most_half_of_its_share_is_hardly_ever_refused(
    flooding: list[Client], others: int, part: float, size: float, seed: int
) -> None:
    """At most one request in twenty, if each is at most a tenth of the share."""
    share = 1 / (len(flooding) + others)
    modest = Client(tokens=int(size * share * BOUND.limit_tokens) or 1, load=part * share)
    clients = {f"flood{n}": each for n, each in enumerate(flooding)} | {f"modest{n}": modest for n in range(others)}
    queue = run_of(clients, seed=seed)
    asked = sum(queue.asked[name] for name in queue.asked if name.startswith("modest"))
    admitted = sum(queue.admitted[name] for name in queue.admitted if name.startswith("modest"))
    assert admitted >= 0.95 * asked
    assert queue.longest_tokens <= BOUND.limit_tokens * (1 + RESERVE)


@pytest.mark.parametrize("flood", [1.5, 3, 20])
@pytest.mark.parametrize(("tokens", "load"), [(50, 0.005), (50, 0.1), (200, 0.02), (400, 0.01)])
def test_however_hard_one_floods_who_asks_seldom_is_let_in(flood: float, tokens: int, load: float) -> None:
    clients = {"greedy": Client(tokens=50, load=flood), "modest": Client(tokens=tokens, load=load)}
    queues = [run_of(clients, seed=seed, seconds=300) for seed in range(3)]
    asked = sum(queue.asked["modest"] for queue in queues)
    assert sum(queue.admitted["modest"] for queue in queues) >= 0.9 * asked > 0


@CHANCE
@given(floods, seeds)
def test_a_flood_keeps_the_device_busy_and_a_tenant_alone_has_all_of_it(flooding: list[Client], seed: int) -> None:
    queue = run_of({f"flood{n}": each for n, each in enumerate(flooding)}, seed=seed, seconds=100.0)
    assert queue.done_tokens.total() >= 0.97 * RATE * 100
    alone = run_of({"only": flooding[0]}, seed=seed, seconds=100.0)
    assert alone.longest_tokens > 0.85 * BOUND.limit_tokens
