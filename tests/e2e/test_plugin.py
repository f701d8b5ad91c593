"""`kubectl phalanx` as kubectl runs it, `phalanx top` and `kubectl describe`, on the real control plane."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.binaries import need
from tests.e2e import resources
from tests.e2e.artifacts import make_ensemble
from tests.e2e.kube import Object
from tests.e2e.scene import LABEL_POOL, Scene
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture
async def served(scene: Scene, artifact) -> Scene:
    """A pool of two workers that serves a model."""
    await scene.apply(
        resources.pool(POOL, replicas={"min": 2, "max": 2}),
        resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest),
    )

    async def whole() -> None:
        await scene.ready("StudentEnsemble", MODEL, within_s=0)
        if (await scene.status("ServingPool", POOL))["readyReplicas"] != 2:
            raise NotYet("two workers are wanted")

    await eventually(whole, within_s=90)
    return scene


@pytest.fixture
def kubectl(served: Scene, tmp_path: Path):
    """Run `kubectl phalanx ARGUMENTS` in the scene's namespace; kubectl finds the plugin on PATH."""
    plugin = tmp_path / "kubectl-phalanx"
    code = "from phalanx_cli.plugin.main import run; run()"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    plugin.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "KUBECONFIG": str(served.cluster.kubeconfig),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }

    def run(*arguments: str) -> str:
        command = [need("kubectl", "run `make tools`"), "phalanx", *arguments, "-n", served.namespace]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


async def workers(scene: Scene) -> dict[str, Object]:
    """The pool's pods by uid, without those that end."""
    path = f"/api/v1/namespaces/{scene.namespace}/pods?labelSelector={LABEL_POOL}%3D{POOL}"
    pods = [pod for pod in await scene.kube.items(path) if "deletionTimestamp" not in pod["metadata"]]
    return {pod["metadata"]["uid"]: pod for pod in pods}


async def test_status_explain_and_recommend_tell_what_is_in_force(served: Scene, kubectl):
    table = kubectl("status").splitlines()
    assert table[0].split() == ["NAME", "READY", "SERVED", "SINCE", "WHY"]
    assert {line.split()[0] for line in table[1:]} == {f"pool/{POOL}", f"ens/{MODEL}"}
    assert "2/2 workers" in "\n".join(table)
    explained = kubectl("explain", f"ens/{MODEL}")
    students = (await served.status("StudentEnsemble", MODEL))["students"]
    assert f"{students['floor']} to {students['ceiling']} of {students['available']} may answer" in explained
    assert f"2 of 2 workers of pool/{POOL} serve it" in explained
    assert "workers: 2 of 2 to 2" in kubectl("recommend", f"pool/{POOL}")


async def test_top_and_describe_tell_it_too(served: Scene, kubectl):
    command = [sys.executable, "-m", "phalanx_cli", "top", "-o", "json", "-n", served.namespace]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    kubeconfig = ["--kubeconfig", str(served.cluster.kubeconfig)]
    done = subprocess.run([*command, *kubeconfig], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["source"], shown["pools"][0]["readyReplicas"]) == ("cluster", 2)
    described = served.cluster.kubectl("describe", f"ens/{MODEL}", "-n", served.namespace)
    events = described.partition("\nEvents:")[2]
    assert "Ready" in events and "phalanx" in events, described


async def test_a_drained_worker_is_replaced_and_no_other_is_touched(served: Scene, kubectl):
    before = await workers(served)
    gone = next(iter(before.values()))
    name = gone["metadata"]["name"]
    assert kubectl("drain", f"pool/{POOL}", "--worker", name, "--dry-run").count("would be evicted") == 1
    assert (await workers(served)).keys() == before.keys()
    lines = kubectl("drain", f"pool/{POOL}", "--worker", name, "--timeout", "90").splitlines()
    assert lines[0].startswith(f"{name}: evicted; it finishes its requests")
    assert lines[-1] == f"{name}: gone; all 2 workers of pool/{POOL} are ready"
    after = await workers(served)
    assert len(after) == 2
    assert before.keys() - after.keys() == {gone["metadata"]["uid"]}
