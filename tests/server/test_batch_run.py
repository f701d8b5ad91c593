"""On a device that computes behind the host's back: answers are taken as they come home, and waited for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from phalanx_grid import AdapterTable, Batch, FinalStep, Grid, RampStep
from phalanx_grid.execution.staging import Returning
from phalanx_server.batching.item import Item
from phalanx_server.engine.batch_run import BatchRun
from phalanx_server.engine.work import Work
from tests.grid.builders import geometry, make_adapter, make_grid

TEXTS = ((2, 3, 4), (5, 6), (7, 8, 9, 10))


class Device:
    """Copies get home when `arrive` says so. `log` tells what happened, in order."""

    def __init__(self, arrive: Collection[int] = ()) -> None:
        self.log: list[str] = []
        self._arrive, self._sent = arrive, 0

    def send(self, tensor: Tensor) -> Returning:
        self._sent += 1
        event = _Event(self, self._sent, self._sent in self._arrive)
        return Returning(tensor, cast(torch.cuda.Event, event))


class _Event:
    def __init__(self, device: Device, number: int, home: bool) -> None:
        self._device, self._number, self._home = device, number, home

    def query(self) -> bool:
        return self._home

    def synchronize(self) -> None:
        if not self._home:
            self._device.log.append(f"waited for {self._number}")
        self._home = True


class Executor:
    """The grid's own, telling the device's log how far the host is."""

    def __init__(self, grid: Any, device: Device) -> None:
        self._grid, self._device = grid, device

    def steps(
        self, batch: Batch, *, students: int, adapters: AdapterTable | None = None
    ) -> Iterator[RampStep | FinalStep]:
        for step in self._grid.steps(batch, students=students, adapters=adapters):
            self._device.log.append(f"ramp {step.row}" if isinstance(step, RampStep) else "final")
            yield step


def run_of(
    device: Device, *, thresholds: tuple[float, ...], slots: tuple[int, ...] = (0, 0, 0), grid: Grid | None = None
) -> BatchRun:
    grid = grid or make_grid()
    table = AdapterTable.for_grid(grid, slots=1, rank_max=2)
    table.put("sha256:a", make_adapter(grid.geometry, seed=1, classes=2))
    model = SimpleNamespace(grid=grid, executor=Executor(grid, device), adapters=table, returns=device)
    works = [
        Work(
            item=Item(id=i, ensemble="e", tenant="", tokens=len(ids), slot=slot, arrival_s=0.0, deadline_s=9.0),
            ids=ids, model=cast(Any, model), pending=cast(Any, None), index=i,
        )
        for i, (ids, slot) in enumerate(zip(TEXTS, slots, strict=True))
    ]  # fmt: skip
    return BatchRun(cast(Any, model), works, students=2, thresholds=thresholds, plan="p", clock=lambda: 0.0)


def answered(run: BatchRun, device: Device) -> dict[int, int | None]:
    exits: dict[int, int | None] = {}
    for done in run:
        for work, answer in done:
            assert work.index not in exits
            exits[work.index] = answer.exit_row
            device.log.append(f"answered {work.index}")
    return exits


def test_a_ramp_that_is_slow_to_come_home_does_not_hold_back_the_rows_behind_it() -> None:
    device = Device()
    exits = answered(run_of(device, thresholds=(1.0, 0.0)), device)
    assert exits == {0: 0, 1: 0, 2: 0}
    assert device.log[:4] == ["ramp 0", "ramp 1", "final", "waited for 1"]


def test_a_ramp_that_is_home_answers_before_the_next_row_is_given_out() -> None:
    device = Device(arrive=(1,))
    answered(run_of(device, thresholds=(1.0, 0.0)), device)
    assert device.log[:4] == ["ramp 0", "answered 0", "answered 1", "answered 2"]
    assert device.log[4:6] == ["ramp 1", "final"]


def test_a_ramp_home_before_an_earlier_one_waits_for_its_turn() -> None:
    device = Device(arrive=(2,))
    exits = answered(run_of(device, thresholds=(1.0, 1.0)), device)
    assert exits == {0: 0, 1: 0, 2: 0}


def test_ramps_that_may_not_answer_are_read_only_at_the_end() -> None:
    device = Device(arrive=(1, 2))
    run = run_of(device, thresholds=(0.0, 0.0))
    exits = answered(run, device)
    assert exits == {0: None, 1: None, 2: None}
    assert device.log[:3] == ["ramp 0", "ramp 1", "final"]
    assert [reading.row for reading in run.ramps] == [0, 1]
    assert all(reading.scores.shape == (3,) for reading in run.ramps)


@pytest.mark.parametrize("slots", [(0, 1, 0), (1, 1, 1)])
def test_heads_of_several_sizes_come_home_one_copy_each(slots: tuple[int, ...]) -> None:
    device = Device()
    run = run_of(device, thresholds=(), slots=slots)
    sizes = {work.index: len(answer.logits) for done in run for work, answer in done}
    assert sizes == {index: 2 if slot else 4 for index, slot in enumerate(slots)}


def test_ramps_without_classes_say_nothing_and_every_text_is_answered() -> None:
    device = Device()
    run = run_of(device, thresholds=(1.0, 1.0), grid=make_grid(geometry(classes=0), ramps=True))
    assert answered(run, device) == dict.fromkeys(range(len(TEXTS)))
    assert run.ramps == []
