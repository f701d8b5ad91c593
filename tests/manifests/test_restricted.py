"""Every pod that the chart or the operator starts may run where the namespace enforces `restricted`."""

from __future__ import annotations

import copy

import pytest

from tests.chart.rendering import VALUES, render
from tests.manifests.restricted import violations
from tests.manifests.sources import POOLS, built, documents

_WITH_PODS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def templates(objects):
    found = [item["spec"]["template"] for item in objects if item["kind"] in _WITH_PODS]
    found += [item["spec"]["jobTemplate"]["spec"]["template"] for item in objects if item["kind"] == "CronJob"]
    return found + [item for item in objects if item["kind"] == "Pod"]


@pytest.mark.parametrize("values", VALUES)
def test_the_operators_pods(values):
    found = templates(render(*VALUES[values]))
    assert found
    assert [violations(template) for template in found] == [[]] * len(found)


@pytest.mark.parametrize("pool", POOLS)
def test_the_workers_pods(pool):
    found = templates(built(pool))
    assert found
    assert [violations(template) for template in found] == [[]] * len(found)


def test_pods_of_the_examples():
    found = templates([item for _, item in documents()])
    assert found
    assert [violations(template) for template in found] == [[]] * len(found)


FORBIDDEN = [
    (("spec", "hostNetwork"), True),
    (("spec", "hostPID"), True),
    (("spec", "hostIPC"), True),
    (("spec", "volumes"), [{"name": "root", "hostPath": {"path": "/"}}]),
    (("spec", "securityContext", "runAsNonRoot"), False),
    (("spec", "securityContext", "runAsNonRoot"), None),
    (("spec", "securityContext", "runAsUser"), 0),
    (("spec", "securityContext", "seccompProfile"), {"type": "Unconfined"}),
    (("spec", "securityContext", "seccompProfile"), None),
    (("spec", "securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]),
    (("spec", "securityContext", "seLinuxOptions"), {"user": "root"}),
    (("metadata", "annotations"), {"container.apparmor.security.beta.kubernetes.io/worker": "unconfined"}),
    (("spec", "containers", 0, "securityContext"), {}),
    (("spec", "containers", 0, "securityContext", "privileged"), True),
    (("spec", "containers", 0, "securityContext", "allowPrivilegeEscalation"), None),
    (("spec", "containers", 0, "securityContext", "capabilities"), {"drop": ["NET_RAW"]}),
    (("spec", "containers", 0, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    (("spec", "containers", 0, "securityContext", "procMount"), "Unmasked"),
    (("spec", "containers", 0, "securityContext", "runAsUser"), 0),
    (("spec", "containers", 0, "securityContext", "appArmorProfile"), {"type": "Unconfined"}),
    (("spec", "containers", 0, "ports"), [{"containerPort": 80, "hostPort": 80}]),
    (("spec", "containers", 0, "livenessProbe"), {"httpGet": {"host": "elsewhere", "port": 80}}),
    (("spec", "initContainers"), [{"name": "first"}]),
]


@pytest.mark.parametrize(
    ("path", "value"), FORBIDDEN, ids=lambda each: ".".join(map(str, each)) if isinstance(each, tuple) else ""
)
def test_what_the_standard_forbids_is_found(path, value):
    template, *_ = copy.deepcopy(templates(built("full")))
    node = template
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    if value is None:
        del node[path[-1]]
    assert violations(template)
