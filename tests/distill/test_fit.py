"""A training that diverges ends with what it had, or says which rate to lower; what goes on is where it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch.nn import Parameter

from phalanx_distill.config import Fitting
from phalanx_distill.errors import SettingError
from phalanx_distill.fit import Epoch, Task, _Run, fit
from phalanx_distill.progress import Silent
from phalanx_distill.stages import Stages

HOW = Fitting(epochs=4, learning_rate=0.1)


class Hears(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def stages_in(folder: Path) -> Stages:
    stages = Stages(folder, "a" * 64)
    stages.open()
    return stages


def trained(
    folder: Path, report: Hears, *, factors: Sequence[float], scores: Sequence[float] = (0.1, 0.4, 0.3, 0.2)
) -> tuple[list[Epoch], Parameter]:
    """Four epochs of one step each, whose losses have these factors; `scores` are those of the epochs."""
    parameter, epochs = Parameter(torch.ones(2)), list[int]()

    def loss(epoch: int, rows: list[int]) -> torch.Tensor:
        epochs.append(epoch)
        return (parameter * factors[epoch]).sum()

    task = Task(
        name="task",
        title="teacher",
        rate="teacher.fit.learning_rate",
        parameters={"w": parameter},
        batches=lambda epoch: [[0]],
        loss=loss,
        score=lambda: scores[epochs[-1]],
    )
    return fit(task, HOW, seed=0, stages=stages_in(folder), report=report), parameter


SAYS = "warning: teacher diverged in epoch 3 and ends with the best one before; teacher.fit.learning_rate: take a lower"
BROKEN: dict[str, dict[str, Sequence[float]]] = {
    "loss": {"factors": (1.0, 1.0, math.nan, 1.0)},
    "score": {"factors": (1.0,) * 4, "scores": (0.1, 0.4, math.nan, 0.5)},
    "score without bounds": {"factors": (1.0,) * 4, "scores": (0.1, 0.4, -math.inf, 0.5)},
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_epoch_that_diverges_is_dropped_also_when_the_run_goes_on(what: str, tmp_path: Path) -> None:
    report = Hears()
    first, parameter = trained(tmp_path, report, **BROKEN[what])
    assert [epoch.score for epoch in first] == [0.1, 0.4]
    assert parameter.isfinite().all()
    again, same = trained(tmp_path, report, **BROKEN[what])
    assert (again, same.tolist()) == (first, parameter.tolist())
    assert [line[: len(SAYS)] for line in report.lines] == [SAYS, SAYS]


def test_parameters_that_are_no_numbers_are_never_the_best_however_they_score(tmp_path: Path) -> None:
    """Accuracy is a number whatever the logits are; an infinite gradient of a finite loss leaves no number."""
    report = Hears()

    class Overflow(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, value: torch.Tensor) -> torch.Tensor:
            return value.clone()

        @staticmethod
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * math.inf

    parameter = Parameter(torch.ones(2))
    task = Task(
        name="task",
        title="ramps",
        rate="ramps.fit.learning_rate",
        parameters={"w": parameter},
        batches=lambda epoch: [[0]],
        loss=lambda epoch, rows: Overflow.apply(parameter).sum(),
        score=lambda: 1.0,
    )
    with pytest.raises(
        SettingError, match=r"ramps\.fit\.learning_rate: ramps diverged in epoch 1, .* take a lower rate"
    ):
        fit(task, HOW, seed=0, stages=stages_in(tmp_path), report=report)


def test_all_of_the_optimiser_that_a_snapshot_holds_goes_to_where_the_parameters_are(tmp_path: Path) -> None:
    """A fused optimiser reads its count of steps on the parameters' device."""
    moments = {"adam.step/w": torch.tensor(3.0), "adam.exp_avg/w": torch.ones(2), "adam.exp_avg_sq/w": torch.ones(2)}
    stages, parameter = stages_in(tmp_path), Parameter(torch.ones(2, device="meta"))
    stages.save("task", {"now/w": torch.ones(2), **moments}, {"history": []})
    snapshot = stages.load("task")
    assert snapshot is not None
    task = Task("task", "teacher", "fit.learning_rate", {"w": parameter}, lambda _: [], lambda *_: parameter, lambda: 0)
    run = _Run(task, HOW)
    run.restore(snapshot)
    assert {name: value.device.type for name, value in run.tensors().items()} == dict.fromkeys(snapshot.tensors, "meta")


def stepped(folder: Path, how: Fitting, factors: Sequence[float], **parameters: Parameter) -> None:
    """One step an epoch, each better than the one before; the loss is the sum of all times the epoch's factor."""
    scores = iter(range(9))
    task = Task(
        name="task",
        title="teacher",
        rate="teacher.fit.learning_rate",
        parameters={name.replace("__", "."): value for name, value in parameters.items()},
        batches=lambda epoch: [[0]],
        loss=lambda epoch, rows: factors[epoch] * torch.stack([value.sum() for value in parameters.values()]).sum(),
        score=lambda: float(next(scores)),
    )
    fit(task, how, seed=0, stages=stages_in(folder), report=Silent())


def test_matrices_decay_while_biases_and_norms_do_not(tmp_path: Path) -> None:
    matrix, bias, norm = (Parameter(torch.ones(1, 2, 2)) for _ in range(3))
    how = Fitting(epochs=1, learning_rate=0.1, weight_decay=0.5, warmup=0.0)
    stepped(tmp_path, how, [0.0], rows__0__up__weight=matrix, rows__0__up__bias=bias, rows__0__output_norm__weight=norm)
    assert [float(value.detach().mean()) for value in (matrix, bias, norm)] == pytest.approx([0.95, 1.0, 1.0])


@pytest.mark.parametrize(("clip", "left"), [(1.0, 0.8), (1e9, 0.825)])
def test_a_long_gradient_is_shortened_to_the_clip(clip: float, left: float, tmp_path: Path) -> None:
    """Adam takes whole steps as long as gradients are alike: 1 and 100 are, once both are shortened to 1."""
    value, how = Parameter(torch.ones(2)), Fitting(epochs=2, learning_rate=0.1, weight_decay=0.0, warmup=0.0, clip=clip)
    stepped(tmp_path, how, [1.0, 100.0], w=value)
    assert float(value.detach().mean()) == pytest.approx(left, abs=2e-3)
