"""Reports as runs leave them, made of random answers in a millisecond."""

from __future__ import annotations

import msgspec
import torch

from phalanx_distill.config import AdaptSettings, DistillSettings
from phalanx_distill.cost import Cost, Price
from phalanx_distill.detail import look
from phalanx_distill.evaluate import measure
from phalanx_distill.fit import Epoch
from phalanx_distill.prepare import DataFacts
from phalanx_distill.report.document import Candidate, CorpusFacts, Notes, Report, Residual, StudentReport

DIGEST = "sha256:" + "a" * 64
LABELS = ("animal", "city", "colour")


def ensemble_report(
    *, students: int = 3, rows: int = 200, labels: tuple[str, ...] = LABELS, name: str = "tiny", seed: int = 0
) -> Report:
    """A whole report of an ensemble."""
    generator = torch.Generator().manual_seed(seed)
    expected = torch.randint(len(labels), (rows,), generator=generator)
    truth = torch.nn.functional.one_hot(expected, len(labels)) * 3.0
    teacher = truth + torch.randn(rows, len(labels), generator=generator)
    logits = truth + 1.2 * torch.randn(students, rows, len(labels), generator=generator)
    ramp = truth + 2.0 * torch.randn(students, rows, len(labels), generator=generator)
    return Report(
        kind="ensemble",
        fingerprint="f" * 64,
        digest=DIGEST,
        source={"name": "minilm", "sha256": "5" * 64},
        data=_facts(name, rows),
        labels=labels,
        settings={**msgspec.to_builtins(DistillSettings()), "seed": 7},
        measured=measure(logits, expected, dataset=name, teacher=teacher, ramps=(ramp,)),
        curves={"teacher": _history(3), "ramps": _history(5)},
        students=[_student(index) for index in range(students)],
        seconds={"teacher": 12.0, "students": 61.5, "ramps": 0.4},
        versions={"phalanx": "0.1.0", "torch": "2.13.0"},
        files={"grid.safetensors": "9" * 64},
        notes=Notes(
            corpora=[CorpusFacts(name="transfer", texts=3000, tokens=41_000)],
            transfer_sources={"training rows": 1000, "made from training rows": 2000},
            untaught=Residual(train=4.0, validation=4.1),
            prefix_weights=[[1.0 / k] * k for k in range(1, students + 1)],
            detail=look(logits, expected, teacher=teacher, ramps=(ramp,)),
            cost=_cost(students),
        ),
    )


def searched_report() -> Report:
    """A report of a run that looked for its shape."""
    report = ensemble_report(students=2)
    tried = [
        Candidate(students=1, rows=2, validation_gap=0.021, chosen=False, seconds=40.0),
        Candidate(students=2, rows=2, validation_gap=0.004, chosen=True, seconds=21.0),
    ]
    report.notes.candidates = tried
    report.notes.accuracy_budget = 0.005
    return report


def adapter_report() -> Report:
    """A whole report of an adapter: there is no teacher to compare with, and there are no ramps."""
    expected = torch.tensor([0, 1, 0, 1, 1])
    logits = torch.nn.functional.one_hot(torch.tensor([[0, 1, 1, 1, 1], [0, 1, 0, 1, 1]]), 2).float()
    return Report(
        kind="adapter",
        fingerprint="e" * 64,
        digest=DIGEST,
        source={"name": "base", "digest": "sha256:" + "b" * 64},
        data=_facts("tenant", 5),
        labels=("place", "thing"),
        settings=msgspec.to_builtins(AdaptSettings()),
        measured=measure(logits, expected, dataset="tenant"),
        curves={"adapter": _history(4)},
        seconds={"adapter": 3.0},
        notes=Notes(detail=look(logits, expected)),
    )


def _facts(name: str, rows: int) -> DataFacts:
    return DataFacts(
        name=name,
        sha256="d" * 64,
        read=rows + 1200,
        repeats=100,
        contradictions=3,
        train=1000,
        validation=97,
        test=rows,
        transfer=3000,
    )


def _history(epochs: int) -> list[Epoch]:
    return [Epoch(epoch=at, loss=1.0 / (at + 1), score=0.8 + 0.01 * at) for at in range(epochs)]


def _student(index: int) -> StudentReport:
    left = 0.5 / (index + 1)
    history = [Epoch(epoch=at, loss=left, score=-left - 0.1 / (at + 1)) for at in range(2)]
    return StudentReport(
        start=0, rows=(0, 1), weight=1.0, train_residual=left, validation_residual=left + 0.1, history=history
    )


def _cost(students: int) -> Cost:
    prices = [Price(students=0, parameters=22_000_000, bytes=88_000_000, ms=9.0, ms_low=8.5, ms_high=9.9)]
    for k in range(1, students + 1):
        size = 12_000_000 + 3_500_000 * k
        prices.append(Price(students=k, parameters=size, bytes=4 * size, ms=2.0 + k, ms_low=1.9 + k, ms_high=2.4 + k))
    return Cost(machine="a machine, 2 cores", executor="stacked", threads=2, tokens=13, rounds=40, prices=tuple(prices))
