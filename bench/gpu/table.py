"""The tables of docs/platform.md, from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]


def markdown(figures: Figures) -> str:
    """Latency of one text, the executors side by side, and a burst."""
    tables = (_latency(figures), _executors(figures), _throughput(figures))
    return "\n\n".join("\n".join(lines) for lines in tables)


def _latency(figures: Figures) -> Iterator[str]:
    cells = _parts(figures, "latency", slice(1, 3))
    yield "| one text: ms, and times faster than the best teacher | " + " | ".join(map(_titled, cells)) + " |"
    yield _rule(len(cells))
    for name in _parts(figures, "latency", slice(3, None)):
        found = [_with_factor(figures, f"latency:{c}:{name}", f"speedup:{c}:{name.rpartition('_')[2]}") for c in cells]
        yield f"| {name.replace('_', ' ')} | " + " | ".join(found) + " |"


def _executors(figures: Figures) -> Iterator[str]:
    cells = _parts(figures, "executor", slice(1, 3))
    yield "| executors: ms, and times as long as `stacked` | " + " | ".join(map(_titled, cells)) + " |"
    yield _rule(len(cells))
    for name in _parts(figures, "executor", slice(3, None)):
        found = [_with_factor(figures, f"executor:{cell}:{name}", f"executor_ratio:{cell}:{name}") for cell in cells]
        yield f"| `{name}` | " + " | ".join(found) + " |"


def _throughput(figures: Figures) -> Iterator[str]:
    yield "| burst, batches of n texts | texts/s | times padded eager transformers |"
    yield _rule(2)
    for name in _parts(figures, "throughput", slice(1, None)):
        rate, gain = figures[f"throughput:{name}"], figures[f"gain:{name}"]
        factor = f"{gain['value']:.2f} ({gain['low']:.2f} to {gain['high']:.2f})"
        yield f"| {name.replace('_', ' ').replace(':n', ', n = ')} | {rate['value']:.0f} | {factor} |"


def _parts(figures: Figures, kind: str, which: slice) -> list[str]:
    """What stands at some places of the keys of a kind, each once."""
    keys = [key.split(":") for key in figures if key.startswith(f"{kind}:")]
    return list(dict.fromkeys(":".join(key[which]) for key in keys))


def _titled(cell: str) -> str:
    """`base:s16` as `base, 16 tokens`, `n8:s32` as `8 x 32`."""
    first, second = cell.split(":")
    if first.startswith("n"):
        return f"{first[1:]} x {second.removeprefix('s')}"
    return f"{first}, {second.removeprefix('s')} tokens"


def _with_factor(figures: Figures, time: str, factor: str) -> str:
    """Milliseconds, with the factor behind where there is one; nothing for what was not measured."""
    if time not in figures:
        return ""
    shown = f"{figures[time]['value']:.2f}"
    return f"{shown} ({figures[factor]['value']:.2f})" if factor in figures else shown


def _rule(columns: int) -> str:
    return "|---" * (columns + 1) + "|"
