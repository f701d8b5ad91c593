"""What the chart makes of one replica and of several."""

from __future__ import annotations

import pytest

from tests.chart.rendering import CHART, FULL_VALUES, HA_VALUES, helm, of_kind, render, the

HA = ("--values", HA_VALUES)
ALL_VALUES = [
    pytest.param((), "phalanx-operator", id="default"),
    pytest.param(HA, "phalanx-operator", id="ha"),
    pytest.param(("--values", FULL_VALUES), "phalanx", id="full"),
]


def deployment(*values):
    return the("Deployment", render(*values))["spec"]


def test_helm_lint_finds_nothing_wrong_with_several_replicas():
    done = helm("lint", "--strict", CHART, *HA)
    assert done.returncode == 0, done.stdout


def test_one_replica_is_the_default_and_a_rollout_brings_the_next_before_it_ends_the_last():
    assert deployment()["replicas"] == 1
    assert deployment(*HA)["replicas"] == 2
    for values in ((), HA):
        strategy = deployment(*values)["strategy"]
        assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_the_first_release_with_a_lease_waits_until_the_one_before_has_ended():
    """Without a cluster to look into, an upgrade finds no Lease."""
    assert deployment("--is-upgrade")["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(("values", "name"), ALL_VALUES)
def test_replicas_are_told_of_the_lease_that_the_chart_makes_unheld(values, name):
    objects = render(*values)
    lease = the("Lease", objects)
    assert (lease["metadata"]["namespace"], lease["metadata"]["name"]) == ("phalanx-system", name)
    assert lease["spec"] == {}
    (container,) = the("Deployment", objects)["spec"]["template"]["spec"]["containers"]
    assert f"--lease=phalanx-system/{name}" in container["args"]


@pytest.mark.parametrize(("values", "name"), ALL_VALUES)
def test_a_replica_is_named_by_its_pods_uid_and_before_whatever_is_added(values, name):
    (container,) = deployment(*values)["template"]["spec"]["containers"]
    env = {each["name"]: each for each in container["env"]}
    assert env["POD_UID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert env["PHALANX_IDENTITY"]["value"] == "$(POD_NAME)_$(POD_UID)"
    # A reference is resolved only to what stands above it.
    assert [each["name"] for each in container["env"]][:3] == ["POD_NAME", "POD_UID", "PHALANX_IDENTITY"]
    assert ("HTTPS_PROXY" in env) == (name == "phalanx")


@pytest.mark.parametrize(("values", "name"), ALL_VALUES)
def test_the_role_for_the_lease_is_for_that_one_in_the_namespace_of_the_release(values, name):
    objects = render(*values)
    roles = [item for item in of_kind("Role", objects) if item["metadata"]["name"] == f"{name}-lease"]
    (role,) = roles
    assert role["metadata"]["namespace"] == "phalanx-system"
    named, created = role["rules"]
    assert (named["resourceNames"], named["verbs"]) == ([name], ["get", "update"])
    assert (created["resources"], created["verbs"]) == (["leases"], ["create"])
    elsewhere = [item for kind in ("Role", "ClusterRole") for item in of_kind(kind, objects) if item not in roles]
    assert all("leases" not in rule["resources"] for item in elsewhere for rule in item["rules"])
    (binding,) = (item for item in of_kind("RoleBinding", objects) if item["metadata"]["name"] == f"{name}-lease")
    assert binding["roleRef"]["name"] == f"{name}-lease"
    assert binding["subjects"][0]["namespace"] == "phalanx-system"


def test_no_role_is_made_where_roles_are_somebody_elses():
    objects = render("--set", "rbac.create=false")
    assert of_kind("Role", objects) == of_kind("RoleBinding", objects) == []
    assert of_kind("Lease", objects)


def test_several_replicas_are_not_disturbed_together_and_one_is_not_in_the_way_of_a_drain():
    assert of_kind("PodDisruptionBudget", render()) == []
    budget = the("PodDisruptionBudget", render(*HA))
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment(*HA)["selector"]


@pytest.mark.parametrize(("version", "api"), [("1.20.2", "policy/v1beta1"), ("1.31.0", "policy/v1")])
def test_the_budget_is_of_the_version_that_the_cluster_serves(version, api):
    assert the("PodDisruptionBudget", render("--kube-version", version, *HA))["apiVersion"] == api


def test_replicas_are_spread_by_their_own_labels_unless_told_otherwise():
    selector = deployment()["selector"]
    constraints = deployment()["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(each["whenUnsatisfiable"] == "ScheduleAnyway" for each in constraints)
    assert all(each["labelSelector"] == selector for each in constraints)
    (own,) = deployment("--values", FULL_VALUES)["template"]["spec"]["topologySpreadConstraints"]
    assert own["labelSelector"] == {"matchLabels": {"a": "b"}}
    (strict,) = deployment(*HA)["template"]["spec"]["topologySpreadConstraints"]
    assert (strict["whenUnsatisfiable"], strict["labelSelector"]) == ("DoNotSchedule", selector)
