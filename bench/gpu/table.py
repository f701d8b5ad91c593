"""The tables of docs/platform.md, from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Figures = Mapping[str, Mapping[str, Any]]
PICTURES: Final = {
    "latency": ("latency", "Latency by length"),
    "executor": ("executors", "Executors"),
    "throughput": ("throughput", "Texts a second in a burst"),
    "roofline": ("roofline", "Shares of the device's limits"),
}
"""By the kind of figures that each shows: its file's name, and a title."""


def markdown(result: Mapping[str, Any]) -> str:
    """Latency of one text, the executors side by side, a burst, and what was not measured."""
    figures, kinds = result["figures"], {"latency": _latency, "executor": _executors, "throughput": _throughput}
    tables = [table(figures) for kind, table in kinds.items() if measured(figures, kind)]
    return "\n\n".join("\n".join(lines) for lines in (*tables, _left_out(result)) if lines)


def measured(figures: Figures, kind: str) -> bool:
    """Whether there are figures of a kind."""
    return any(key.startswith(f"{kind}:") for key in figures)


def _left_out(result: Mapping[str, Any]) -> list[str]:
    wrong = [f"- `{name}` answers wrongly: {why}" for name, why in result.get("wrong", {}).items()]
    skipped = [f"- {part}: {what}" for part, whats in result.get("skipped", {}).items() for what in whats]
    return ["Not measured:", "", *wrong, *skipped] if wrong or skipped else []


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
        rate, gain = figures[f"throughput:{name}"], figures.get(f"gain:{name}")
        factor = f"{gain['value']:.2f} ({gain['low']:.2f} to {gain['high']:.2f})" if gain else ""
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
