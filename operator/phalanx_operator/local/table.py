"""The table of `phalanx up` and `phalanx top`. Pure: the state file's JSON in, something to print out."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from phalanx_operator.api.units import format_duration
from phalanx_operator.local.live import View, is_ready

_COLUMNS = ("Ensemble", "Ready", "Students", "Thresholds", "Texts/s", "p50", "p99", "Queue", "Workers")


def render(view: View) -> Group:
    """Pools on top, a row for each ensemble, adapters that are not served, and the latest notes."""
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "Ensemble" else "right", no_wrap=True)
    for ensemble in view["ensembles"]:
        table.add_row(*_row(ensemble))
    pools = [Text(_pool_line(pool), "bold" if is_ready(pool) else "bold yellow") for pool in view["pools"]]
    failed = [Text(_adapter_line(each), "red") for each in view["adapters"] if not is_ready(each)]
    notes = [Text(note, "dim") for note in view.get("notes", [])]
    reasons = [
        Text(f"{each['name']}: {_reason(each)}", "" if is_ready(each) else "yellow") for each in view["ensembles"]
    ]
    return Group(*pools, table, *reasons, _tenants(view), *failed[:5], *notes)


def line(ensemble: View) -> str:
    """One ensemble in one line, for output that is no terminal."""
    cells = dict(zip(_COLUMNS, (str(cell) for cell in _row(ensemble)), strict=True))
    parts = (f"{column.lower()} {cells[column]}" for column in _COLUMNS[1:] if cells[column])
    return f"{cells['Ensemble']}: {', '.join(parts)}; {_reason(ensemble)}"


def _reason(ensemble: View) -> str:
    """The latest decision, or why the ensemble is not served."""
    decision = ensemble["decision"]
    return f"{decision['reason']}: {decision['message']}" if decision and is_ready(ensemble) else _why(ensemble)


def _row(ensemble: View) -> tuple[Text | str, ...]:
    ready = is_ready(ensemble)
    workers = ensemble["workers"]
    return (
        ensemble["name"],
        Text("yes" if ready else "no", "green" if ready else "yellow"),
        _students(ensemble),
        " ".join(f"{value:g}" for value in ensemble["thresholds"]) or "none",
        _number(ensemble["texts_per_s"]),
        _seconds(ensemble["p50_s"]),
        _seconds(ensemble["p99_s"]),
        _number(ensemble["queue_tokens"]),
        f"{workers.get('ready', 0)}/{workers.get('total', 0)}",
    )


def _students(ensemble: View) -> str:
    """Used now, of the range that the plan allows: `2 of 1-3`."""
    students, used = ensemble["students"], ensemble["students_used"]
    top = students.get("ceiling") or students.get("available") or "?"
    allowed = f"{students.get('floor', '?')}-{top}"
    return allowed if used is None else f"{used:.3g} of {allowed}"


def _pool_line(pool: View) -> str:
    state = "ready" if is_ready(pool) else _why(pool)
    restarts = sum(pod["restarts"] for pod in pool["pods"])
    again = f", {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    return f"{pool['name']} at {pool['url']}: {pool['ready_replicas']}/{pool['replicas']} workers{again}, {state}"


def _tenants(view: View) -> Text:
    served = sum(map(is_ready, view["adapters"]))
    return Text(f"{served}/{len(view['adapters'])} tenants served" if view["adapters"] else "", "dim")


def _adapter_line(adapter: View) -> str:
    return f"{adapter['ensemble']}:{adapter['name']}: {_why(adapter)}"


def _why(view: View) -> str:
    ready: dict[str, Any] = view["conditions"].get("Ready", {})
    return str(ready.get("message") or "not looked at yet")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else format_duration(value)
