"""The tables of docs/serving.md, from the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]

_LOADS = (("50", "0.5 of the capacity"), ("80", "0.8"), ("100", "1.0"), ("burst", "bursts of 4 x 0.5"))
_WHO = (("guard", "guard"), ("fixed", "all students, always"))


def markdown(figures: Figures) -> str:
    """Capacity, latency under load, and the burst's aftermath."""
    return "\n".join([*_capacity(figures), "", *_loads(figures), "", *_burst(figures)])


def _capacity(figures: Figures) -> list[str]:
    lines = ["| texts/s at saturation | over HTTP | engine alone, same batches | ratio | engine busy | texts a batch |"]
    lines.append("|---|---|---|---|---|---|")
    for name, label in (("fixed", f"all {figures['students']['value']} students"), ("one", "one student")):
        cells = [
            _range(figures[f"capacity:{name}:server"], "{:.0f}"),
            _range(figures[f"capacity:{name}:engine"], "{:.0f}"),
            _range(figures[f"capacity:{name}:ratio"], "{:.2f}"),
            f"{figures[f'capacity:{name}:busy']['value']:.0%}",
            f"{figures[f'capacity:{name}:batch_texts']['value']:.1f}",
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _loads(figures: Figures) -> list[str]:
    """The burst's line is of the bursts themselves; what was sent, refused and lost is of the whole run."""
    head = f"| load, objective {figures['objective']['value']:g} ms | students | p50 ms | p99 ms | over the objective "
    lines = [head + "| mean k (least to most) | accuracy spent, points | sent | refused | lost |", "|---" * 10 + "|"]
    for load, title in _LOADS:
        for name, label in _WHO:
            key = f"{name}:{load}"
            cells = [
                title,
                label,
                f"{figures[f'{key}:p50']['value']:.0f}",
                _range(figures[f"{key}:p99"], "{:.0f}"),
                f"{figures[f'{key}:missed']['value']:.1%}",
                _range(figures[f"{key}:students"], "{:.2f}", bounds="{:.0f}"),
                f"{figures[f'{key}:spent']['value']:.1f}",
                *(f"{figures[f'{key}:{what}']['value']:.0f}" for what in ("sent", "refused", "lost")),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _burst(figures: Figures) -> list[str]:
    lines = [
        "| the whole run with bursts | p99 ms | all students back after, s | share of answers by all from 5 s on |"
    ]
    lines.append("|---|---|---|---|")
    for name, label in _WHO:
        key = f"{name}:burst"
        cells = [
            _range(figures[f"{key}:whole_p99"], "{:.0f}"),
            _range(figures[f"{key}:recovery"], "{:.1f}"),
            f"{figures[f'{key}:settled']['value']:.0%}",
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _range(figure: Mapping[str, float], form: str, *, bounds: str = "") -> str:
    low, high = ((bounds or form).format(figure[name]) for name in ("low", "high"))
    return f"{form.format(figure['value'])} ({low} to {high})"
