"""One control plane and one release of the chart for a session; a namespace of its own for each module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from tests.binaries import REPOSITORY
from tests.e2e import resources
from tests.e2e.cluster import RELEASE, Cluster, given_cluster
from tests.e2e.controlplane import ControlPlane, MissingBinariesError, find_binaries
from tests.e2e.evidence import evidence
from tests.e2e.kube import Kube
from tests.e2e.scene import Scene


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names, or a control plane of our own with a node of processes."""
    given = given_cluster()
    if given is not None:
        yield Cluster(kubeconfig=given, pods=None)
        return
    try:
        binaries = find_binaries()
    except MissingBinariesError as problem:
        # Where the tests are the point, as in continuous integration, silence would look like success.
        (pytest.fail if os.environ.get("PHALANX_E2E_REQUIRED") else pytest.skip)(str(problem))
    folder = tmp_path_factory.mktemp("control-plane")
    plane = ControlPlane(binaries, folder)
    try:
        plane.start()
        pods = tmp_path_factory.mktemp("pods")
        node = _start_node(plane.kubeconfig, pods)
        try:
            yield Cluster(kubeconfig=plane.kubeconfig, pods=pods, audit=plane.audit, plane=plane)
        finally:
            node.terminate()
            node.wait(30)
    finally:
        plane.stop()


def _start_node(kubeconfig: Path, pods: Path) -> subprocess.Popen[bytes]:
    """A process of its own: tests may block, and the node must go on."""
    command = [sys.executable, "-m", "tests.e2e.node", "--kubeconfig", kubeconfig, "--root", pods]
    with (pods / "node.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=REPOSITORY, env=dict(os.environ), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the operator installed by helm."""
    cluster.install()
    yield cluster
    cluster.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    """An administrator's client."""
    async with Kube(cluster.kubeconfig) as client:
        yield client


@pytest.fixture(scope="module")
def namespace(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A namespace named after the module, and the folder of the claim in it."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    folder = tmp_path_factory.mktemp(name)
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(resources.volume(name, folder)))
    # A pod that is tried before that waits for the scheduler to try again.
    bound = "jsonpath={.status.phase}=Bound"
    cluster.kubectl("wait", f"--for={bound}", f"pvc/{resources.CLAIM}", "-n", name, "--timeout=30s")
    yield name, folder
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    cluster.kubectl("delete", "persistentvolume", f"{name}-{resources.CLAIM}", "--wait=false", "--ignore-not-found")


@pytest.fixture
async def scene(release: Cluster, kube: Kube, namespace: tuple[str, Path]) -> Scene:
    """The module's namespace, with the operator running and pods that are processes of this machine."""
    if release.pods is None:
        pytest.skip("needs the process node: this cluster's pods cannot be reached from here")
    return Scene(cluster=release, kube=kube, namespace=namespace[0], folder=namespace[1])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What the operator, the workers and the conditions say goes beside every failure."""
    report = yield
    found = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(found, Cluster):
        report.sections += evidence(found)
    return report
