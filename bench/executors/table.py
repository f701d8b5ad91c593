"""The tables of docs/execution.md, from the figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]


def markdown(figures: Figures) -> str:
    """For each number of threads and students: milliseconds of each contender by shape, and its share of the default's.

    Then the largest error of each.
    """
    cells = list(dict.fromkeys(key.split(":", 1)[1] for key in figures if _timed(key)))
    endings = list(dict.fromkeys(cell.split(":", 3)[3] for cell in cells))
    tables = [_table(figures, [cell for cell in cells if cell.endswith(f":{ending}")], ending) for ending in endings]
    return "\n\n".join("\n".join(lines) for lines in (*tables, _errors(figures)))


def names(figures: Figures) -> list[str]:
    """The contenders."""
    return list(dict.fromkeys(key.split(":", 1)[0] for key in figures if _timed(key)))


def label(name: str) -> str:
    """`packed_bf16` as `packed, bf16`."""
    who, _, form = name.rpartition("_")
    return f"{who}, {form}"


def _timed(key: str) -> bool:
    return not key.startswith(("ratio:", "error:"))


def _table(figures: Figures, cells: list[str], ending: str) -> Iterator[str]:
    threads, students = ending.split(":")
    title = f"threads: {threads[1:]}, students: {students[1:]}"
    yield f"| {title} | " + " | ".join(_title(cell) for cell in cells) + " |"
    yield "|---" * (len(cells) + 1) + "|"
    for name in names(figures):
        found = [(figures.get(f"{name}:{cell}"), figures.get(f"ratio:{name}:{cell}")) for cell in cells]
        shown = [f"{time['value']:.1f} ({ratio['value']:.2f})" if time and ratio else "" for time, ratio in found]
        yield f"| {label(name)} | " + " | ".join(shown) + " |"


def _title(cell: str) -> str:
    encoder, texts, length, *_ = cell.split(":")
    return f"{encoder}, {texts[1:]} x {length[1:]}"


def _errors(figures: Figures) -> Iterator[str]:
    yield "| contender | largest error of a logit, of the largest logit |"
    yield "|---|---|"
    errors = [(key.split(":")[1], figure["value"]) for key, figure in figures.items() if key.startswith("error:")]
    for name, group in itertools.groupby(sorted(errors), key=lambda entry: entry[0]):
        yield f"| {label(name)} | {max(value for _, value in group):.1%} |"
