"""The tables of docs/models.md: the goals, then one table for each encoder and task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.cpu.goals import Figures, accuracy_in_words, goals, split, spoken, threads


def markdown(figures: Figures) -> str:
    """All tables."""
    cells = list(dict.fromkeys(split(key)[0] for key in figures if ":accuracy:" not in key))
    lines = list(_goals(figures))
    for subject in dict.fromkeys(cell.rpartition(":")[0] for cell in cells):
        lines += ["", *_subject(figures, subject, [cell for cell in cells if cell.rpartition(":")[0] == subject])]
    return "\n".join(lines)


def _goals(figures: Figures) -> Iterator[str]:
    yield "| encoder, texts, threads | students | goal | found | | accuracy |"
    yield "|---" * 6 + "|"
    for goal in goals(figures):
        found = f"{goal.figure['value']:.2f} ({goal.figure['low']:.2f} to {goal.figure['high']:.2f})"
        told = [spoken(goal.cell), _name(goal.who), goal.what, found, goal.verdict, accuracy_in_words(goal.accuracy)]
        yield f"| {' | '.join(told)} |"


def _subject(figures: Figures, subject: str, cells: Sequence[str]) -> Iterator[str]:
    """One line for each contender and order of texts; latency stands in the first of a contender's lines."""
    encoder, task = subject.split(":")
    columns = [f"{threads(cell)}: p50, p99 ms | over teacher | texts/s | x" for cell in cells]
    yield f"| {encoder}, {task} | accuracy | error | " + " | ".join(columns) + " |"
    yield "|---" * (3 + 4 * len(cells)) + "|"
    seen: set[str] = set()
    for who, order in _served(figures, cells[0]):
        line = [
            f"{_name(who)}{'' if order == 'buckets' else ', ' + order}",
            _accuracy(figures, subject, who),
            _error(figures, cells[0], who),
        ]
        for cell in cells:
            line += _latency(figures, f"{cell}:latency:{who}") if who not in seen else ["", ""]
            rate, gain = figures.get(f"{cell}:throughput:{who}:{order}"), figures.get(f"{cell}:gain:{who}:{order}")
            line += ["", ""] if rate is None or gain is None else [f"{rate['value']:.1f}", _times(gain)]
        seen.add(who)
        yield f"| {' | '.join(line)} |"


def _served(figures: Figures, cell: str) -> list[tuple[str, str]]:
    """Contenders with their orders."""
    keys = (key.removeprefix(f"{cell}:throughput:") for key in figures if key.startswith(f"{cell}:throughput:"))
    return [(who, order) for who, order in (key.split(":") for key in keys)]


def _latency(figures: Figures, key: str) -> list[str]:
    if f"{key}:p50" not in figures:
        return ["", ""]
    p50, p99 = figures[f"{key}:p50"], figures[f"{key}:p99"]
    both = f"{p50['value']:.1f}, {p99['value']:.1f} ({p99['low']:.1f} to {p99['high']:.1f})"
    return [both, _times(figures[f"{key}:ratio"])]


def _accuracy(figures: Figures, subject: str, who: str) -> str:
    """The encoder outside of this engine is the teacher too; in 8 bits it would have to be measured by itself."""
    name, _, form = who.rpartition("_")
    teachers = ("teacher", "transformers", "onnx")
    figure = figures.get(f"{subject}:accuracy:{'teacher' if name in teachers else name}")
    return "" if figure is None or form == "int8" else f"{figure['value']:.3f}"


def _error(figures: Figures, cell: str, who: str) -> str:
    figure = figures.get(f"{cell}:error:{who}")
    return "" if figure is None else f"{figure['value']:.1%}"


def _times(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:.2f}"


def _name(who: str) -> str:
    return who.replace("_", " ")
