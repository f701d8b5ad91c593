"""A panel of the dashboard, and how one becomes Grafana's JSON. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Json = dict[str, Any]

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One PromQL expression and the legend of what it returns, in Grafana's `{{label}}` syntax."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One picture. `unit` is Grafana's name of a unit; `bad_above` (or `bad_below`) colours a stat."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 8
    stacked: bool = False
    bad_above: float | None = None
    bad_below: float | None = None


HEIGHT: Final = {"timeseries": 8, "stat": 4, "table": 8}
COLUMNS: Final = 24
"""Width of Grafana's grid."""


def to_json(panel: Panel, *, number: int, x: int, y: int) -> Json:
    """The panel at a place of the grid; `number` identifies it."""
    shown: Json = {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": panel.kind,
        "datasource": DATASOURCE,
        "gridPos": {"h": HEIGHT[panel.kind], "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [_target(query, panel, letter) for letter, query in zip("ABCDEF", panel.queries, strict=False)],
    }
    if panel.kind == "table":
        hidden = {"Time": True, "Value": True, "__name__": True, "instance": True, "job": True, "pod": True}
        shown["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return shown


def _target(query: Query, panel: Panel, letter: str) -> Json:
    shown: Json = {"refId": letter, "datasource": DATASOURCE, "expr": query.expr, "legendFormat": query.legend}
    if panel.kind != "timeseries":
        shown |= {"instant": True, "range": False}
    if panel.kind == "table":
        shown["format"] = "table"
    return shown


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.kind == "stat":
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": _steps(panel)}}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        defaults["custom"] = {"fillOpacity": 30 if panel.stacked else 8, "stacking": stacking, "showPoints": "never"}
    return defaults


def _steps(panel: Panel) -> list[Json]:
    if panel.bad_below is not None:
        return [{"color": "red", "value": None}, {"color": "green", "value": panel.bad_below}]
    steps: list[Json] = [{"color": "green", "value": None}]
    return steps if panel.bad_above is None else [*steps, {"color": "red", "value": panel.bad_above}]


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        calculation = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": calculation, "colorMode": "value", "graphMode": "area"}
    if panel.kind == "table":
        return {"showHeader": True}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
