"""What a run found, for the terminal: goals first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench.cpu.goals import accuracy_in_words, goals, split
from bench.record import Figure


def show(figures: Mapping[str, Figure], console: Console) -> None:
    """The goals, then every figure by cell."""
    console.print(_goals({key: asdict(figure) for key, figure in figures.items()}))
    for cell in dict.fromkeys(split(key)[0] for key in figures if ":accuracy:" not in key):
        table = Table(cell, "value", "low to high", "unit")
        for key, figure in figures.items():
            if key.startswith(f"{cell}:"):
                bounds = f"{figure.low:.4g} to {figure.high:.4g}"
                table.add_row(key.removeprefix(f"{cell}:"), f"{figure.value:.4g}", bounds, figure.unit)
        console.print(table)


def _goals(figures: Mapping[str, Mapping[str, object]]) -> Table:
    table = Table("cell", "who", "goal", "found", "verdict", "accuracy", title="Against the goals")
    for goal in goals(figures):
        found = f"{goal.figure['value']:.2f} ({goal.figure['low']:.2f} to {goal.figure['high']:.2f})"
        table.add_row(goal.cell, goal.who, goal.what, found, goal.verdict, accuracy_in_words(goal.accuracy))
    return table
