"""Every alert fires when it should and only then, as promtool judges; and says what to do next."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from phalanx_operator.monitoring import pages, rules
from phalanx_operator.monitoring.alerts import GROUPS
from phalanx_operator.monitoring.alerts.alert import Alert
from phalanx_operator.monitoring.series import OPERATOR, WORKER
from tests.e2e.prometheus import promtool

ALERTS = {alert.name: alert for alerts in GROUPS.values() for alert in alerts}
CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alert_cases.yaml").read_text())
QUIET = [(name, number) for name, case in CASES.items() for number in range(len(case["quiet"]))]
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    f"{metric.name}{suffix}": {*metric.labels, *(["le"] if suffix == "_bucket" else [])}
    for metric in (*WORKER, *OPERATOR)
    for suffix in SUFFIXES[metric.kind]
}


def judge(folder: Path, name: str, series: dict[str, str], expected: dict[str, list[dict[str, Any]]]) -> None:
    """Let promtool replay the series; `expected` has what fires of the alert `name`, by time."""
    (folder / "alerts.yaml").write_text(rules.text())
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": name, "exp_alerts": alerts} for at, alerts in expected.items()
        ],
    }
    content = {"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(content))
    done = promtool("test", "rules", folder / "test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def rendered(text: str, labels: dict[str, str], value: str) -> str:
    """A template of Prometheus with its values."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)
    return re.sub(r"\{\{ \$value[^}]*\}\}", value, text)


def fired(alert: Alert, labels: dict[str, str], value: str) -> dict[str, Any]:
    annotations = {"summary": alert.summary, "description": alert.description}
    return {
        "exp_labels": {**labels, "severity": alert.severity},
        "exp_annotations": {name: rendered(text, labels, value) for name, text in annotations.items()}
        | {"runbook_url": alert.runbook},
    }


def test_promtool_finds_nothing_wrong_with_the_rules(tmp_path):
    (tmp_path / "alerts.yaml").write_text(rules.text())
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    assert list(CASES) == list(ALERTS)
    assert all(case["firing"] and case["quiet"] for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_in_its_time_with_the_labels_and_the_sentence_that_it_should(name, tmp_path):
    firing = CASES[name]["firing"]
    alert = fired(ALERTS[name], firing["labels"], firing.get("value", ""))
    judge(tmp_path, name, firing["series"], {"2m": [], CASES[name]["at"]: [alert]})


@pytest.mark.parametrize(("name", "number"), QUIET)
def test_an_alert_is_quiet_where_nothing_is_wrong(name, number, tmp_path):
    judge(tmp_path, name, CASES[name]["quiet"][number], {CASES[name]["at"]: []})


@pytest.mark.parametrize("name", CASES)
def test_the_recorded_series_are_of_metrics_that_exist(name):
    case = CASES[name]
    for series in (series for recorded in (case["firing"]["series"], *case["quiet"]) for series in recorded):
        metric, labels = re.fullmatch(r"(\w+)\{(.*)\}", series).groups()
        assert metric in SERIES, series
        assert set(re.findall(r"(\w+)=", labels)) - {"namespace", "pod"} <= SERIES[metric], series


@pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))
def test_an_alert_asks_for_metrics_that_exist_and_its_runbook_has_a_heading(alert):
    asked = set(re.findall(r"\bphalanx_\w+", alert.expr))
    assert asked and asked <= SERIES.keys()
    headings = {heading.lower() for heading in re.findall(r"^## (\w+)$", pages.alerts(), re.MULTILINE)}
    assert alert.runbook.partition("#")[2] in headings
    assert alert.steps and all(step.endswith((".", "`")) for step in alert.steps)
