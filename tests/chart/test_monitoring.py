"""What the chart gives to Grafana and to the operator of Prometheus."""

from __future__ import annotations

import json

import yaml

from phalanx_operator.monitoring import rules
from phalanx_operator.monitoring.dashboard import dashboard
from tests.chart.rendering import CHART, FULL_VALUES, of_kind, render, the
from tests.e2e.prometheus import promtool

FULL = ("--values", FULL_VALUES)


def test_nothing_of_it_is_there_unless_asked_for():
    objects = render()
    assert [of_kind(kind, objects) for kind in ("ConfigMap", "PrometheusRule", "PodMonitor")] == [[], [], []]


def test_the_dashboard_is_found_by_grafanas_sidecar_and_reaches_it_whole():
    config_map = the("ConfigMap", render(*FULL))
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config_map["metadata"]["labels"]["team"] == "search"
    assert config_map["metadata"]["annotations"] == {"grafana_folder": "Serving"}
    assert json.loads(config_map["data"]["phalanx.json"]) == dashboard()


def test_the_alert_rules_are_those_of_the_plain_file_and_link_to_where_the_runbooks_are(tmp_path):
    spec = the("PrometheusRule", render(*FULL))["spec"]
    plain = yaml.safe_load((CHART / "monitoring" / "alerts.yaml").read_text())
    assert plain == rules.groups()
    for group, same in zip(spec["groups"], plain["groups"], strict=True):
        for rule, expected in zip(group["rules"], same["rules"], strict=True):
            url = rule["annotations"].pop("runbook_url")
            anchor = expected["annotations"].pop("runbook_url").partition("#")[2]
            assert url == f"https://wiki.internal/phalanx/alerts#{anchor}"
            assert rule == expected
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    assert promtool("check", "rules", tmp_path / "rules.yaml").returncode == 0


def test_prometheus_scrapes_workers_where_they_are_served_and_keeps_the_operators_own_labels():
    everywhere = the("PodMonitor", render("--set", "metrics.podMonitor.enabled=true"))["spec"]
    assert everywhere["namespaceSelector"] == {"any": True}
    objects = render(*FULL)
    monitor = the("PodMonitor", objects)["spec"]
    assert monitor["namespaceSelector"] == {"matchNames": ["models", "staging"]}
    assert monitor["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics", "interval": "10s"}]
    assert the("ServiceMonitor", objects)["spec"]["endpoints"][0]["honorLabels"] is True
