"""The files of values in the pages do what the text around them says."""

from __future__ import annotations

import re

import yaml

from phalanx_contract.runtime import HTTP_PORT
from tests.binaries import REPOSITORY
from tests.chart.rendering import render, the
from tests.manifests.sources import built

_VALUES = re.compile(r"```yaml\n(# values\.yaml\n.*?)```", re.DOTALL)
PAGE = (REPOSITORY / "docs" / "platform.md").read_text()


def documented(key, folder, page=PAGE):
    """What the chart makes of the page's file of values that sets `key`, which is written into the folder."""
    (text,) = (text for text in _VALUES.findall(page) if key in yaml.safe_load(text))
    path = folder / "values.yaml"
    path.write_text(text)
    return render("--values", path)


def test_images_of_a_registry_of_ones_own_are_those_that_the_page_builds_and_pushes(tmp_path):
    pod = the("Deployment", documented("workerImage", tmp_path))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (workers,) = (word.partition("=")[2] for word in container["args"] if word.startswith("--worker-image="))
    pushed = [name.replace("$REGISTRY", "registry.example") for name in re.findall(r"^docker push (\S+)$", PAGE, re.M)]
    assert {container["image"], workers} < set(pushed)
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_an_operator_whose_connections_are_bounded_still_reaches_workers_and_pods_that_distil(tmp_path):
    spec = the("NetworkPolicy", documented("networkPolicy", tmp_path))["spec"]
    (rule,) = (rule for rule in spec["egress"] if {"protocol": "TCP", "port": HTTP_PORT} in rule["ports"])
    (peer,) = rule["to"]
    assert peer["namespaceSelector"] == {}
    pods = [item["spec"]["template"] for item in built("full") if item["kind"] in ("Deployment", "Job")]
    assert len(pods) > 1
    for pod in pods:
        assert peer["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        (container,) = pod["spec"]["containers"]
        assert [port["containerPort"] for port in container["ports"]] == [HTTP_PORT]


def test_the_documented_policy_lets_a_prometheus_of_another_namespace_read_and_be_asked(tmp_path):
    spec = the("NetworkPolicy", documented("networkPolicy", tmp_path))["spec"]
    (reader,) = spec["ingress"][0]["from"]
    assert reader["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    asked = [peer for rule in spec["egress"] for peer in rule.get("to", []) if rule["ports"][0]["port"] == 9090]
    assert asked == [reader]


def test_the_values_for_the_operator_of_prometheus_make_workers_and_operator_known_to_it(tmp_path):
    objects = documented("metrics", tmp_path, (REPOSITORY / "docs" / "observability.md").read_text())
    assert the("ServiceMonitor", objects) and the("PodMonitor", objects)
