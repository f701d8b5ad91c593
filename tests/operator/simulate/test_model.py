"""How well the modelled worker matches the real one: its guard in virtual time, and a recorded run."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.guard import View, pick_students
from phalanx_operator.simulate.latency import Batches, quantile
from phalanx_operator.simulate.profile import BATCH_SHARE, CPU, Cost, Profile
from phalanx_operator.simulate.replay import Run, replay
from phalanx_operator.simulate.trace import trace_of
from phalanx_server.batching.burst import BurstPolicy
from tests.operator.simulate.scenes import Guarded, scene
from tests.server.simulated import Device, Phase, Worker

RESULTS = Path(__file__).parents[3] / "bench" / "results"

DEVICES = [
    pytest.param(Device(), 0.15, id="cpu"),
    pytest.param(Device(text_s=0.0002, fixed_s=0.0005), 0.05, id="fast"),
    pytest.param(Device(text_s=0.003), 0.3, id="slow"),
]
MEAN_TOKENS = 10.5
"""Of the texts that `Worker` draws; its device's costs are for one of `Device.tokens`."""


def profile_of(device: Device) -> Profile:
    text_s = device.text_s * MEAN_TOKENS / device.tokens
    costs = (Cost(fixed_s=device.fixed_s * (1 + k / 4), text_s=text_s * k) for k in range(1, device.students + 1))
    return Profile(costs=tuple(costs), tokens=MEAN_TOKENS, noise=device.noise)


def real(device: Device, objective_s: float, load: float, *, floor: int) -> Worker:
    """The real guard under a constant load, in parts of the capacity with all students."""
    policy = BurstPolicy(objective_s=objective_s, batch_s=BATCH_SHARE * objective_s)
    worker = Worker(device, policy, seed=1, floor=floor)
    worker.run([Phase(25, load)])
    return worker


@pytest.mark.parametrize(("device", "objective_s"), DEVICES)
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_the_p99_with_fixed_students_is_that_of_the_virtual_worker(device, objective_s, load):
    worker, profile = real(device, objective_s, load, floor=4), profile_of(device)
    longest_s = BATCH_SHARE * objective_s
    batches = Batches.of(profile.cost(4), load * worker.texts_per_s(4), longest_s=longest_s, noise=device.noise)
    modelled = quantile([(1.0, batches.spread(device.noise))], 0.99)
    assert modelled == pytest.approx(worker.p99_s(5, 25), rel=0.4)


@pytest.mark.parametrize(("device", "objective_s"), DEVICES)
@pytest.mark.parametrize("load", [0.4, 0.6, 1.0, 1.3, 2.0, 2.5])
def test_the_students_under_a_constant_load_are_those_of_the_real_guard(device, objective_s, load):
    worker, profile = real(device, objective_s, load, floor=1), profile_of(device)
    held = statistics.mean(answer.students for answer in worker.answers if answer.at_s > 5)
    view = View(profile=profile, objective_s=objective_s, texts_per_s=load * worker.texts_per_s(4), waiting=0.0)
    students = device.students
    for _ in range(20):
        students = pick_students(students, view, floor=1, ceiling=device.students)
    assert abs(students - held) <= 0.6


def recorded(name: str) -> dict:
    return json.loads((RESULTS / "serving" / f"burst-{name}.json").read_text())


def modelled(report: dict, cut: Cut) -> Run:
    """The run whose arrivals were recorded, on one modelled worker."""
    slots = ((second["at_s"], report["slice_s"], second["offered"]) for second in report["series"])
    return replay(trace_of("recorded", slots), Guarded(cut), scene(1))


def test_recorded_bursts_without_a_guard_are_predicted():
    """bench/results/serving: one real worker with all four students, in three bursts of twice what it computes."""
    report = recorded("fixed")
    run = modelled(report, Cut(students_floor=4, students_ceiling=4))
    refused = sum(second["refused"] for second in report["series"])
    assert run.score.refused == pytest.approx(refused, rel=0.5)
    assert run.score.violating == pytest.approx((report["all"]["missed"] * report["all"]["answered"] + refused)
                                                / report["all"]["offered"], abs=0.15)  # fmt: skip
    worst = max(each.p99_s for each in run.slices if each.p99_s is not None)
    assert worst == pytest.approx(max(second["p99_ms"] for second in report["series"]) / 1000, rel=0.25)


def test_recorded_bursts_with_the_guard_are_predicted():
    report = recorded("guard")
    run = modelled(report, Cut(students_floor=1, students_ceiling=4))
    assert run.score.violating <= report["all"]["missed"] + 0.01
    assert run.score.mean_students == pytest.approx(report["all"]["students"]["mean"], abs=0.6)
    last_s = report["stretches"][-1]["start_s"]
    back = next(each.at_s for each in run.slices if each.at_s >= last_s and each.students == 4)
    assert back - last_s <= 6


def test_the_default_profile_is_the_worker_of_the_serving_benchmark():
    figures = json.loads((RESULTS / "serving.json").read_text())["figures"]
    batch_s = BATCH_SHARE * figures["objective"]["value"] / 1000
    for name, students in (("one", 1), ("fixed", 4)):
        measured = figures[f"capacity:{name}:server"]["value"]
        assert CPU.cost(students).texts_per_s(batch_s) == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(("device", "objective_s"), DEVICES)
@pytest.mark.parametrize("load", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_device_is_busy_for_as_long_as_the_virtual_worker(device, objective_s, load):
    worker, profile = real(device, objective_s, load, floor=4), profile_of(device)
    batches = Batches.of(profile.cost(4), load * worker.texts_per_s(4), longest_s=0.3 * objective_s, noise=device.noise)
    assert batches.busy_share == pytest.approx(busy_share(worker), abs=0.08)


def busy_share(worker: Worker) -> float:
    """A batch begins when the one before ends or, if the device idles, with its first text."""
    arrivals: dict[float, float] = {}
    for answer in worker.answers:
        end_s = round(answer.at_s + answer.latency_s, 9)
        arrivals[end_s] = min(arrivals.get(end_s, answer.at_s), answer.at_s)
    before_s = busy_s = 0.0
    for end_s, _ in worker.steps:
        busy_s += end_s - max(before_s, arrivals[round(end_s, 9)])
        before_s = end_s
    return busy_s / before_s
