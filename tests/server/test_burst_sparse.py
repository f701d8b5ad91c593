"""Few large requests with pauses between them: what a client that embeds documents sends."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_server.batching.burst import BurstPolicy
from tests.server.simulated import Device, Request, Worker

CHANCE = settings(deadline=None, derandomize=True)

EVEN = Device(text_s=0.000275, fixed_s=0.001, noise=0.0)
"""10,000 tokens a second with four students, 40,000 with one."""
BACK_S = 30.0
"""Until all students are back, at the latest: eight seconds of calm, of which batches in between take back a part."""

devices = st.builds(
    Device, students=st.integers(2, 5), text_s=st.floats(0.0003, 0.003), fixed_s=st.floats(0.0005, 0.004),
    noise=st.floats(0, 0.1),
)  # fmt: skip
objectives_s = st.floats(0.3, 3)


def worker_of(device: Device, objective_s: float) -> Worker:
    return Worker(device, BurstPolicy(objective_s=objective_s, batch_s=0.3 * objective_s), seed=0)


def of_tokens(device: Device, at_s: float, tokens: float) -> Request:
    """A request of texts that are all of usual length."""
    return Request(at_s, (device.tokens,) * max(int(tokens / device.tokens), 1))


def burst(worker: Worker, *, end_s: float) -> list[Request]:
    """Two seconds of twice what the device computes with the fewest students."""
    rate = 2 * worker.texts_per_s(1) * worker.device.tokens
    return [of_tokens(worker.device, end_s - 2 + step / 20, rate / 20) for step in range(40)]


def alone_s(worker: Worker, request: Request) -> float:
    """How long it takes with all students, if nothing else is there."""
    return len(request.tokens) / worker.texts_per_s(worker.device.students)


def counts_after(worker: Worker, start_s: float) -> set[int]:
    return {answer.students for answer in worker.answers if answer.at_s >= start_s}


@pytest.mark.parametrize(
    ("every_s", "tokens", "objective_s"),
    [(1, 2000, 1), (1, 4000, 1), (2, 3000, 1), (2, 5000, 2), (0.5, 1500, 1), (0.2, 800, 1), (10, 5000, 2)],
)
def test_a_large_request_every_few_seconds_gets_all_students_also_after_a_burst(
    every_s: float, tokens: int, objective_s: float
) -> None:
    worker = worker_of(EVEN, objective_s)
    steps = range(int((BACK_S + 60) / every_s))
    sparse = [of_tokens(EVEN, 5 + every_s * (step + 1), tokens) for step in steps]
    worker.serve([*burst(worker, end_s=5), *sparse])
    assert min(answer.students for answer in worker.answers if answer.at_s < 5) == 1
    assert counts_after(worker, 5 + BACK_S) == {4}
    assert max(answer.latency_s for answer in worker.answers if answer.at_s >= 5 + BACK_S) <= objective_s


def conforming(worker: Worker, sizes: Sequence[float], gaps: Sequence[float], *, start_s: float) -> Iterator[Request]:
    """Requests that alone take a part of half the objective, each followed by a pause at least as long as itself."""
    at_s = start_s
    rate = worker.texts_per_s(worker.device.students) * worker.device.tokens
    for size, gap in zip(itertools.cycle(sizes), itertools.cycle(gaps), strict=False):
        request = of_tokens(worker.device, at_s, size * 0.5 * worker.policy.objective_s * rate)
        yield request
        at_s += alone_s(worker, request) * 2.2 + gap


@settings(CHANCE, max_examples=30)
@given(
    devices,
    objectives_s,
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    st.lists(st.floats(0, 1) | st.floats(0, 12), min_size=1, max_size=6),
)
def test_whatever_comes_at_less_than_half_of_the_capacity_gets_all_students_again(
    device: Device, objective_s: float, sizes: list[float], gaps: list[float]
) -> None:
    worker = worker_of(device, objective_s)
    sparse = conforming(worker, sizes, gaps, start_s=5.5)
    end_s = 5.5 + BACK_S + 2 * sum(gaps)
    worker.serve([*burst(worker, end_s=5), *itertools.takewhile(lambda request: request.at_s < end_s, sparse)])
    assert device.students in counts_after(worker, 5.5)


@pytest.mark.parametrize("seed", range(4))
def test_large_requests_at_random_times_have_nearly_all_students(seed: int) -> None:
    worker, chance, at_s, requests = worker_of(EVEN, 1.0), random.Random(seed), 0.0, []
    while at_s < 120:
        at_s += chance.expovariate(1.0)
        requests.append(of_tokens(EVEN, at_s, chance.uniform(500, 3000)))
    worker.serve(requests)
    students = [answer.students for answer in worker.answers]
    assert sum(students) / len(students) >= 3.3
    assert sum(answer.latency_s <= 1.0 for answer in worker.answers) >= 0.99 * len(worker.answers)
