"""The Grafana dashboard as JSON: rows of panels, placed on Grafana's grid. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from phalanx_operator.monitoring.panels import COLUMNS, HEIGHT, Json, Panel, to_json
from phalanx_operator.monitoring.rows import ROWS
from phalanx_operator.monitoring.variables import variables

UID: Final = "phalanx"
SCHEMA_VERSION: Final = 39
"""Of Grafana 10; later releases migrate it when they load it."""


def dashboard() -> Json:
    """The whole dashboard."""
    return {
        "uid": UID,
        "title": "Phalanx",
        "description": "Latency, students, accuracy and the operator's decisions of all pools.",
        "tags": ["phalanx"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables()},
        "annotations": {"list": []},
        "panels": list(_panels()),
    }


def text() -> str:
    """As a file."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _panels() -> Iterator[Json]:
    number, y = 1, 0
    for title, panels in ROWS.items():
        position = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": position, "panels": []}
        number, y = number + 1, y + 1
        for line in _lines(panels):
            x = 0
            for panel in line:
                yield to_json(panel, number=number, x=x, y=y)
                number, x = number + 1, x + panel.width
            y += max(HEIGHT[panel.kind] for panel in line)


def _lines(panels: tuple[Panel, ...]) -> Iterator[list[Panel]]:
    """Panels that fit beside each other."""
    line: list[Panel] = []
    for panel in panels:
        if sum(each.width for each in line) + panel.width > COLUMNS:
            yield line
            line = []
        line.append(panel)
    yield line
