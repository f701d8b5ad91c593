"""What `phalanx inspect` shows of a verified manifest."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from phalanx_distill.report.table import accuracy_table
from phalanx_grid import AdapterManifest, EnsembleManifest

_LABELS_SHOWN = 12


def description(manifest: EnsembleManifest | AdapterManifest) -> RenderableType:
    """Facts, accuracy by number of students where it was measured, and files."""
    known = _ensemble(manifest) if isinstance(manifest, EnsembleManifest) else _adapter(manifest)
    facts = _facts({**known, "labels": _labels(manifest.labels)})
    parts: list[RenderableType] = [facts]
    if manifest.accuracy is not None:
        parts.append(accuracy_table(manifest.accuracy))
    parts.append(_files(manifest))
    return Group(*parts)


def _facts(rows: dict[str, str]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))  # a label may hold brackets, which are no markup
    return table


def _ensemble(manifest: EnsembleManifest) -> dict[str, str]:
    geometry = manifest.geometry
    return {
        "kind": f"ensemble, {manifest.task}",
        "grid": f"{geometry.students} students x {geometry.rows} rows, {geometry.family}",
        "cell": f"hidden {geometry.hidden}, {geometry.heads} heads, feed-forward {geometry.ffn}",
        "tokens": f"vocabulary {geometry.vocab}, at most {manifest.max_tokens} a text, {geometry.pooling} pooling",
        "ramps": "after every row but the last" if manifest.ramps else "none",
    }


def _adapter(manifest: AdapterManifest) -> dict[str, str]:
    return {
        "kind": "adapter",
        "grid": f"{manifest.students} students x {manifest.rows} rows, hidden {manifest.hidden}",
        "rank": f"{manifest.rank}, alpha {manifest.alpha:g}",
        "base": manifest.base,
    }


def _labels(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:_LABELS_SHOWN]) or "none"
    more = len(labels) - _LABELS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _files(manifest: EnsembleManifest | AdapterManifest) -> Table:
    table = Table(title="Files, every byte checked", title_justify="left")
    table.add_column("file")
    table.add_column("bytes", justify="right")
    table.add_column("sha256", overflow="fold")
    for name, entry in manifest.files.items():
        table.add_row(name, f"{entry.bytes:,}", entry.sha256)
    return table
