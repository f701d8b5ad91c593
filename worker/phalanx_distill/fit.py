"""One training run: batches, optimiser, schedule, the best epoch, and going on after an interrupt.

What is trained and how its loss is computed comes from a `Task`; what a run leaves is the best epoch's parameters and
its history. After every epoch the parameters, the optimiser's moments and the best epoch so far are put into a
snapshot. All randomness is drawn from (seed, epoch), so a run that goes on gives what an unbroken one would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_

from phalanx_distill.config import Fitting
from phalanx_distill.errors import SettingError
from phalanx_distill.progress import Reporter
from phalanx_distill.schedule import linear
from phalanx_distill.stages import Snapshot, Stages


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass brought. `score` is the validation score: higher is better, whatever it measures."""

    epoch: int
    loss: float
    score: float


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained.

    `batches(epoch)` gives the epoch's batches of row indices, always equally many; `loss(epoch, rows)` a scalar of
    which the gradient is taken; `score()` measures the parameters as they are. `name` is the snapshot's name, `rate`
    the path of the setting of its learning rate.
    """

    name: str
    title: str
    rate: str
    parameters: Mapping[str, Parameter]
    batches: Callable[[int], Sequence[list[int]]]
    loss: Callable[[int, list[int]], Tensor]
    score: Callable[[], float]


def fit(task: Task, settings: Fitting, *, seed: int, stages: Stages, report: Reporter) -> list[Epoch]:
    """Train to the end, from wherever the snapshot stands; the parameters are then those of the best epoch.

    An epoch that leaves numbers which are not finite ends the training: none that follows could be better.

    Raises:
        SettingError: it was the first one.
        OutputError: a snapshot cannot be written.
    """
    run = _Run(task, settings)
    snapshot = stages.load(task.name)
    if snapshot is not None:
        run.restore(snapshot)
    if len(run.history) < settings.epochs:
        _train(run, seed=seed, stages=stages, report=report)
    run.take_best()
    return run.history


def _train(run: _Run, *, seed: int, stages: Stages, report: Reporter) -> None:
    task, epochs = run.task, run.settings.epochs
    per_epoch = len(task.batches(0))
    with report.stage(task.title, epochs * per_epoch, done=len(run.history) * per_epoch) as advance:
        for epoch in range(len(run.history), epochs):
            torch.manual_seed(seed * 1_000_003 + epoch)
            total = 0.0
            for index, rows in enumerate(task.batches(epoch)):
                total += run.step(task.loss(epoch, rows), at=epoch * per_epoch + index, steps=epochs * per_epoch)
                advance(note=f"epoch {epoch + 1}/{epochs} loss {total / (index + 1):.4f}")
            if not run.finish_epoch(Epoch(epoch=epoch, loss=total / per_epoch, score=task.score())):
                report.say(run.diverged(epoch))
                return
            advance(0, note=f"epoch {epoch + 1}/{epochs} validation {run.history[-1].score:.4f}")
            last = epoch + 1 == epochs
            stages.save(task.name, run.best_tensors() if last else run.tensors(), run.state())


class _Run:
    """Parameters, optimiser and history of one task."""

    def __init__(self, task: Task, settings: Fitting) -> None:
        self.task = task
        self.settings = settings
        self.history: list[Epoch] = []
        self._best: dict[str, Tensor] = {}
        for parameter in task.parameters.values():
            parameter.requires_grad_(True)
        self._optimiser = torch.optim.AdamW(_groups(task.parameters, settings.weight_decay), fused=True)

    def step(self, loss: Tensor, *, at: int, steps: int) -> float:
        """One update; returns the loss."""
        rate = self.settings.learning_rate * linear(at, steps=steps, warmup=self.settings.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(list(self.task.parameters.values()), self.settings.clip)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())

    def finish_epoch(self, epoch: Epoch) -> bool:
        """Note the epoch and keep its parameters if none was better; False, and nothing of it, if it diverged."""
        finite = all(bool(value.isfinite().all()) for value in self.task.parameters.values())
        if not (finite and math.isfinite(epoch.loss) and math.isfinite(epoch.score)):
            return False
        if not self._best or epoch.score > max(past.score for past in self.history):
            self._best = {name: value.detach().clone() for name, value in self.task.parameters.items()}
        self.history.append(epoch)
        return True

    def diverged(self, epoch: int) -> str:
        """That an epoch diverged, and what stays. Raises SettingError if nothing does."""
        said, lower = f"{self.task.title} diverged in epoch {epoch + 1}", "take a lower rate, or a longer warm-up"
        if not self.history:
            raise SettingError(self.task.rate, f"{said}, its loss or its parameters are no numbers any more; {lower}")
        return f"warning: {said} and ends with the best one before; {self.task.rate}: {lower}"

    @torch.no_grad()
    def take_best(self) -> None:
        for name, value in self._best.items():
            self.task.parameters[name].copy_(value)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next epoch needs."""
        moments = {
            f"adam.{key}/{name}": value
            for name, parameter in self.task.parameters.items()
            for key, value in self._optimiser.state[parameter].items()
        }
        now = {f"now/{name}": value for name, value in self.task.parameters.items()}
        return {**now, **moments, **self.best_tensors()}

    def best_tensors(self) -> dict[str, Tensor]:
        return {f"best/{name}": value for name, value in self._best.items()}

    def state(self) -> dict[str, list[Epoch]]:
        return {"history": self.history}

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot was taken."""
        self.history = msgspec.convert(snapshot.state["history"], list[Epoch])
        for key, value in snapshot.tensors.items():
            kind, _, name = key.partition("/")
            parameter = self.task.parameters[name]
            if kind == "best":
                self._best[name] = value.to(parameter.device)
            elif kind == "now":
                parameter.copy_(value)
            else:
                # The count of steps, too: a fused optimiser reads it where the parameter is.
                self._optimiser.state[parameter][kind.removeprefix("adam.")] = value.to(parameter.device)


def _groups(parameters: Mapping[str, Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Matrices decay; biases and norms do not (a stacked one, [K, H], has two dimensions, and its name tells)."""
    spared = [value for name, value in parameters.items() if "bias" in name or "norm" in name.lower()]
    kept = {id(value) for value in spared}
    decayed = [value for value in parameters.values() if id(value) not in kept]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
