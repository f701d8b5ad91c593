"""One whole life under exactly the rights of the chart, with debug logs: nothing refused, idle or told."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.e2e.audit import FORBIDDEN, WITHOUT_REQUEST, Request, Right, rights_of
from tests.e2e.cluster import SYSTEM, Cluster
from tests.e2e.kube import Kube
from tests.e2e.leaks import leaks
from tests.e2e.life import SECRETS, Written, live
from tests.e2e.scene import Scene

AFTER_A_MISHAP: Final = {Right("coordination.k8s.io", "leases", "create")}
"""Taken when somebody deleted the lease, which no ordinary life does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lived:
    """What is left to look at after a life."""

    written: Written
    requests: list[Request]
    refused: list[Request]
    logs: str
    tokens: list[str]
    """What the operator proved itself with to the API server."""


@pytest.fixture(scope="module")
def lived(release: Cluster, namespace: tuple[str, Path]) -> Lived:
    if release.pods is None or release.audit is None:
        pytest.skip("needs the process node and its control plane's audit log")
    since = release.audit.end()
    release.install("logLevel=debug")
    written = asyncio.run(_live(release, namespace))
    logs = _logs(release.pods, SYSTEM, namespace[0])
    tokens = [file.read_text() for file in release.pods.glob(f"{SYSTEM}-*/volumes/*/token")]
    # The log tells of a watch when it ends.
    debugged = release.kubectl("get", "pods", "-n", SYSTEM, "-o", "name").split()
    release.install()
    release.kubectl("wait", "--for=delete", *debugged, "-n", SYSTEM, "--timeout=60s")
    audit = release.audit
    return Lived(
        written=written,
        requests=audit.requests(since=since),
        refused=audit.refused(since=since),
        logs=logs,
        tokens=tokens,
    )


async def _live(release: Cluster, namespace: tuple[str, Path]) -> Written:
    async with Kube(release.kubeconfig) as kube:
        return await live(Scene(cluster=release, kube=kube, namespace=namespace[0], folder=namespace[1]))


def _logs(pods: Path, *namespaces: str) -> str:
    files = [file for namespace in namespaces for file in sorted(pods.glob(f"{namespace}-*/output.log"))]
    return "\n".join(file.read_text(errors="replace") for file in files)


def test_the_operator_is_refused_nothing(namespace: tuple[str, Path], lived: Lived):
    assert lived.refused == []
    here = [request for request in lived.requests if request.namespace == namespace[0]]
    assert [request for request in here if request.code == FORBIDDEN] == [], "nor by admission, where no namespace ends"
    assert len(lived.requests) > 50, "a log that the server does not write would prove nothing"


def test_every_right_of_the_role_is_used(release: Cluster, lived: Lived):
    everywhere = json.loads(release.kubectl("get", "clusterrole", "phalanx-operator", "-o", "json"))
    lease = json.loads(release.kubectl("get", "role", "phalanx-operator-lease", "-n", SYSTEM, "-o", "json"))
    used = {right for request in lived.requests for right in request.used}
    idle = rights_of([*everywhere["rules"], *lease["rules"]]) - used - WITHOUT_REQUEST - AFTER_A_MISHAP
    assert not idle, f"take these rights away, or have life.py need them: {', '.join(map(str, sorted(idle)))}"


def test_without_the_right_to_finalizers_no_child_could_name_its_owner(release: Cluster, namespace: tuple[str, Path]):
    """The one right that no request of its own asks for: proved by an account that has all others."""
    role = json.loads(release.kubectl("get", "clusterrole", "phalanx-operator", "-o", "json"))
    rules = [rule for rule in role["rules"] if "servingpools/finalizers" not in rule["resources"]]
    less = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "less"}, "rules": rules}
    release.kubectl("apply", "-n", namespace[0], "-f", "-", stdin=yaml.safe_dump(less))
    release.kubectl("create", "rolebinding", "less", "--role=less", "--user=less", "-n", namespace[0])
    owner = {"apiVersion": "phalanx.dev/v1alpha1", "kind": "ServingPool", "name": "p", "uid": "u", "controller": True}
    metadata = {"name": "child", "ownerReferences": [owner | {"blockOwnerDeletion": True}]}
    child = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    create = ("apply", "--server-side", "--dry-run=server", "-n", namespace[0], "-f", "-")
    assert "blockOwnerDeletion" in release.kubectl(*create, "--as=less", stdin=child, check=False)
    operator = f"--as=system:serviceaccount:{SYSTEM}:phalanx-operator"
    assert "serverside-applied" in release.kubectl(*create, operator, stdin=child)


def test_no_secret_is_told_in_a_log_a_status_an_event_or_a_plan(lived: Lived):
    assert leaks(json.dumps(lived.written.objects), *SECRETS) == []
    assert leaks("\n".join(lived.written.plans), *SECRETS) == []
    assert leaks(lived.logs, *SECRETS, *lived.tokens) == []
    assert lived.tokens


@pytest.mark.parametrize("spelling", [bytes, bytes.hex, base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_the_search_finds_a_secret_in_any_spelling(spelling, before):
    for secret in SECRETS:
        text = spelling(f"{before}{secret}yz".encode())
        assert leaks(f"beside {text} it", *SECRETS) == [secret]


def test_what_was_searched_holds_what_it_is_searched_for(lived: Lived):
    assert '"api_key"' in lived.written.plans[0], "the plan has the key's hash"
    assert "DEBUG" in lived.logs
    assert {event["reason"] for event in lived.written.objects["events"]} >= {"Ready", "SecretNotFound"}
    assert all(lived.written.objects.values())
