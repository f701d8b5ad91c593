"""Every panel of the dashboard asks a real Prometheus for something that it has."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from phalanx_operator.monitoring.dashboard import dashboard
from phalanx_operator.monitoring.panels import COLUMNS, Panel
from phalanx_operator.monitoring.rows import ROWS
from phalanx_operator.monitoring.series import OPERATOR, WORKER
from tests.e2e.prometheus import Prometheus, prometheus
from tests.operator.monitoring import history

PANELS = [panel for panels in ROWS.values() for panel in panels]
QUERIES = [
    pytest.param(panel, query, id=f"{panel.title}-{number}")
    for panel in PANELS
    for number, query in enumerate(panel.queries)
]
CHOICES = {"$namespace": "(ml|other)", "$pool": "gpus", "$ensemble": "(sentiment|topic)", "$__rate_interval": "1m"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, int]]:
    """A Prometheus that has seen everything, and the time of the newest sample."""
    folder, until = tmp_path_factory.mktemp("history"), int(time.time()) - 60
    history.record(folder, until=until)
    with prometheus(folder) as running:
        yield running, until


def ask(server: tuple[Prometheus, int], query: str) -> list[dict[str, Any]]:
    running, until = server
    arguments = urllib.parse.urlencode({"query": query, "time": until})
    try:
        with urllib.request.urlopen(f"{running.url}/api/v1/query?{arguments}", timeout=30) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{query}\n{error.read().decode()}") from error


def chosen(text: str) -> str:
    """The text with every variable replaced as Grafana replaces it."""
    for variable, value in CHOICES.items():
        text = text.replace(variable, value)
    return text


@pytest.mark.parametrize(("panel", "query"), QUERIES)
def test_a_query_finds_data_that_carries_the_labels_of_its_legend(server, panel, query):
    found = ask(server, chosen(query.expr))
    assert found, query.expr
    wanted = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    for series in found:
        assert wanted <= series["metric"].keys(), (query.legend, series)
        assert series["value"][1] != "NaN", query.expr


def test_the_variables_are_filled_from_series_that_exist(server):
    for variable in dashboard()["templating"]["list"][1:]:
        query = re.fullmatch(r"label_values\((.+), (\w+)\)", chosen(variable["query"]["query"]))
        assert query is not None
        values = {series["metric"][query[2]] for series in ask(server, query[1])}
        regex = variable["regex"].strip("/")
        assert {re.fullmatch(regex.strip("^$"), value)[1] if regex else value for value in values} <= {
            "ml", "gpus", "sentiment",
        }  # fmt: skip


def test_a_pod_of_another_pool_that_begins_the_same_is_not_taken_in(server):
    (query,) = (query for panel in PANELS if panel.title == "Busy share" for query in panel.queries)
    (series,) = ask(server, chosen(query.expr))
    assert (series["metric"]["pool"], series["metric"]["pod"]) == ("gpus", history.POD)
    assert ask(server, chosen(query.expr).replace('"gpus-', '"gp-')) == []
    matcher = re.search(r'pod=~"([^"]+)"', chosen(query.expr))
    assert matcher and re.fullmatch(matcher[1], "gpus-large-7d9f8c6b5f-abcde") is None


@pytest.mark.parametrize("metric", [*WORKER, *OPERATOR], ids=lambda metric: metric.name)
def test_every_metric_is_in_a_panel(metric):
    shown = "\n".join(query.expr for panel in PANELS for query in panel.queries)
    assert re.search(rf"\b{metric.exposed}(_bucket|_count)?\b", shown), metric


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_is_described_and_has_a_unit(panel: Panel):
    assert panel.description.endswith(".")
    assert panel.unit in {"short", "s", "percentunit", "reqps", "ops"}
    assert all(query.legend or panel.kind == "table" for query in panel.queries)


def test_panels_lie_beside_each_other_and_never_on_each_other():
    taken: set[tuple[int, int]] = set()
    shown = dashboard()["panels"]
    for panel in shown:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < COLUMNS
        taken |= cells
    assert len({panel["id"] for panel in shown}) == len(shown)
