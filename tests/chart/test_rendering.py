"""What the chart makes of default and of full values."""

from __future__ import annotations

import re

import pytest

from tests.chart.rendering import CHART, FULL_VALUES, VALUES, helm, of_kind, render, the

ALL_VALUES = [pytest.param(values, id=name) for name, values in VALUES.items()]
WITH_ROLES = [pytest.param(values, id=name) for name, values in VALUES.items() if name != "bare"]


@pytest.mark.parametrize("values", ALL_VALUES)
def test_helm_lint_finds_nothing_wrong(values):
    done = helm("lint", "--strict", CHART, *values)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", ALL_VALUES)
def test_every_object_carries_the_recommended_labels_and_a_namespace_where_it_needs_one(values):
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for item in render(*values):
        metadata = item["metadata"]
        assert (item["kind"] in cluster_wide) == ("namespace" not in metadata), item["kind"]
        # The definitions outlive the release, so they carry nothing of it.
        if item["kind"] != "CustomResourceDefinition":
            assert metadata["labels"]["app.kubernetes.io/part-of"] == "phalanx", item["kind"]


@pytest.mark.parametrize("values", WITH_ROLES)
def test_roles_have_no_wildcards_and_cannot_list_secrets_or_touch_other_roles(values):
    objects = render(*values)
    rules = [rule for kind in ("Role", "ClusterRole") for item in of_kind(kind, objects) for rule in item["rules"]]
    assert rules
    for rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["get"]


def test_watching_all_namespaces_takes_a_cluster_role_and_watching_some_takes_none():
    everywhere, somewhere = render(), render("--set", "watchNamespaces[0]=a,watchNamespaces[1]=b")
    assert len(of_kind("ClusterRole", everywhere)) == 1
    assert [item["metadata"]["name"] for item in of_kind("Role", everywhere)] == ["phalanx-operator-lease"]
    assert of_kind("ClusterRole", somewhere) == []
    assert of_kind("ClusterRoleBinding", somewhere) == []
    assert {item["metadata"]["namespace"] for item in of_kind("Role", somewhere)} == {"a", "b", "phalanx-system"}
    arguments = the("Deployment", somewhere)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [word for word in arguments if word.startswith("--namespace")] == ["--namespace=a", "--namespace=b"]


@pytest.mark.parametrize("values", ALL_VALUES)
def test_the_operators_container_is_probed_and_cannot_write_its_root(values):
    (container,) = the("Deployment", render(*values))["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"livenessProbe", "readinessProbe", "startupProbe"} <= set(container)


def test_an_image_is_named_by_digest_where_there_is_one_and_by_version_otherwise():
    def image(*values):
        return the("Deployment", render(*values))["spec"]["template"]["spec"]["containers"][0]["image"]

    assert re.fullmatch(r"phalanx-operator:\d+\.\d+\.\d+", image())
    assert image("--values", FULL_VALUES).endswith("/phalanx-operator@sha256:" + "0" * 63 + "1")


def test_custom_resource_definitions_are_kept_on_uninstall_unless_told_otherwise():
    def policies(*values):
        definitions = of_kind("CustomResourceDefinition", render(*values))
        return {item["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for item in definitions}

    assert len(of_kind("CustomResourceDefinition", render())) == 3
    assert policies() == {"keep"}
    assert policies("--set", "crds.keep=false") == {None}
    assert policies("--set", "crds.install=false") == set()


def test_images_by_digest_alone_are_asked_for_only_with_both_of_ones_own_named_so():
    arguments = the("Deployment", render("--values", FULL_VALUES))["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--require-image-digest" in arguments
    done = helm("template", "phalanx", CHART, "--set", "requireImageDigest=true")
    assert done.returncode != 0
    assert "requireImageDigest needs image.digest and workerImage.digest" in done.stderr


def test_a_network_policy_lets_the_namespace_or_the_listed_peers_read_the_metrics():
    assert of_kind("NetworkPolicy", render()) == []
    own = the("NetworkPolicy", render("--set", "networkPolicy.enabled=true"))["spec"]
    assert own["policyTypes"] == ["Ingress"]
    assert own["ingress"] == [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8081}]}]
    full = the("NetworkPolicy", render("--values", FULL_VALUES))["spec"]
    assert full["policyTypes"] == ["Ingress", "Egress"]
    assert full["ingress"][0]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]


def test_optional_objects_appear_only_when_asked_for():
    assert of_kind("ServiceMonitor", render()) == []
    assert the("ServiceMonitor", render("--values", FULL_VALUES))["spec"]["endpoints"][0]["interval"] == "15s"
    assert of_kind("Service", render("--set", "metrics.enabled=false")) == []
    assert of_kind("ServiceAccount", render("--set", "serviceAccount.create=false,serviceAccount.name=own")) == []


@pytest.mark.parametrize("version", ["1.20.2", "1.29.0", "1.36.0-gke.100"])
def test_the_chart_accepts_old_and_new_clusters(version):
    assert render("--kube-version", version)


def test_a_cluster_older_than_1_20_is_refused():
    done = helm("template", "phalanx", CHART, "--kube-version", "1.19.0")
    assert done.returncode != 0
    assert "1.20" in done.stderr


def test_the_notes_say_what_is_served_what_is_open_and_what_an_uninstall_takes():
    def notes(*values):
        done = helm("install", "phalanx", CHART, "--dry-run=client", *values)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    assert "all namespaces" in notes()
    for value in ("watchNamespaces", "requireImageDigest", "networkPolicy.enabled"):
        assert f"- {value}:" in notes()
        assert f"- {value}:" not in notes("--values", FULL_VALUES)
    full = notes("--values", FULL_VALUES)
    assert "models, staging" in full
    assert "EVERY resource" in full
