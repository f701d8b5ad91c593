"""`phalanx up` as users run it: a process, YAML files, and workers that serve a real artifact."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

pytest.importorskip("torch", reason="needs the worker's dependencies")

from tests.e2e.artifacts import TEXTS, Artifact, make_ensemble, make_tenant

ROOT = Path(__file__).parents[3]
DEADLINE_S = 90.0
KEY = "hunter2"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "acme-key"}, "stringData": {"apiKey": KEY}}


def resource(kind: str, name: str, spec: dict[str, Any]) -> str:
    """One document; JSON is YAML."""
    obj = {"apiVersion": "phalanx.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return json.dumps(obj)


class Running:
    """A `phalanx up` that serves `files`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, session: aiohttp.ClientSession) -> None:
        self.process, self.folder, self.session = process, folder, session

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "status.json").read_text()))

    async def until(self, condition: Any) -> Any:
        """Wait for a state that `condition` takes as true; states that lack something count as false."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(KeyError, IndexError, FileNotFoundError):
                if value := condition(self.state):
                    return value
            said = (self.folder / "said").read_text()
            assert time.monotonic() < deadline and self.process.returncode is None, said
            await asyncio.sleep(0.1)

    async def predict(self, texts: list[str], **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON and headers of an answer at the front address."""
        url = f"{self.state['pools'][0]['url']}/predict"
        async with self.session.post(url, json={"inputs": texts}, headers=headers) as response:
            return response.status, await response.json(), response.headers


def write(path: Path, base: Artifact, tenant: Any, *, students: int) -> None:
    artifact = {"uri": "file://./ensemble", "digest": base.digest}
    spec = {"replicas": {"min": 2, "max": 2}, "objective": {"p99": "5s"}, "metrics": {"interval": "1s"}}
    accuracy = {"loss": 1, "burstLoss": 1}
    documents = [
        resource("ServingPool", "gpus", spec),
        resource(
            "StudentEnsemble",
            "sentiment",
            {
                "pool": "gpus",
                "artifact": artifact,
                "students": {"min": students, "max": students},
                "accuracy": accuracy,
            },
        ),
        resource(
            "TenantAdapter",
            "acme",
            {
                "ensemble": "sentiment",
                "artifact": {"uri": tenant.path.as_uri(), "digest": tenant.digest},
                "apiKeySecret": {"name": "acme-key"},
            },
        ),
        json.dumps(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "acme-key"}, "stringData": {"apiKey": KEY}}
        ),
    ]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n---\n".join(documents))
    temporary.replace(path)


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[tuple[Running, Artifact, Any]]:
    base = make_ensemble(tmp_path / "ensemble")
    tenant = make_tenant(tmp_path / "tenant", base, labels=("x", "y", "z"), seed=3)
    write(tmp_path / "pool.yaml", base, tenant, students=2)
    folder = tmp_path / "state"
    path = os.pathsep.join(str(ROOT / part) for part in ("contract", "operator", "worker", "cli"))
    environ = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    folder.mkdir()
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "phalanx_cli", "up", "pool.yaml"),
            *("--port", "0", "--state-dir", "state", "--json-status", "copy.json"),
            cwd=tmp_path,
            env=environ,
            stdout=said,
            stderr=asyncio.subprocess.STDOUT,
        )
    async with aiohttp.ClientSession() as session:
        yield Running(process, folder, session), base, tenant
    if process.returncode is None:
        process.kill()
        await process.wait()


def is_ready(state: dict[str, Any]) -> bool:
    views = [*state["pools"], *state["ensembles"], *state["adapters"]]
    return all(view["conditions"]["Ready"]["status"] == "True" for view in views)


async def test_up_serves_moves_the_plan_heals_and_leaves_nothing_behind(up, tmp_path):
    running, base, tenant = up
    await running.until(is_ready)

    status, answer, headers = await running.predict([[text] for text in TEXTS])
    assert status == 200, answer
    assert [best[0]["label"] for best in answer] == base.answers(students=2).labels
    assert headers["X-Phalanx-Students"].split(",")[0] == "2"

    status, answer, _ = await running.predict([[TEXTS[0]]], **{"X-Phalanx-Tenant": "acme"})
    assert status == 401, "without its key"

    plan = running.state["pools"][0]["plan"]
    pids = {pod["pid"] for pod in running.state["pools"][0]["pods"]}
    write(tmp_path / "pool.yaml", base, tenant, students=3)
    await running.until(lambda state: state["pools"][0]["plan"] != plan and is_ready(state))
    status, answer, headers = await running.predict([[text] for text in TEXTS])
    assert headers["X-Phalanx-Students"].split(",")[0] == "3", (running.folder / "said").read_text()
    assert [best[0]["label"] for best in answer] == base.answers(students=3).labels
    keyed = {"X-Phalanx-Tenant": "acme", "Authorization": f"Bearer {KEY}"}
    status, answer, _ = await running.predict([[text] for text in TEXTS], **keyed)
    assert [best[0]["label"] for best in answer] == tenant.answers().labels
    assert {pod["pid"] for pod in running.state["pools"][0]["pods"]} == pids, "no worker was restarted"

    (tmp_path / "pool.yaml").write_text("a: [")
    victim = min(pids)
    os.kill(victim, signal.SIGKILL)
    await running.until(
        lambda state: sum(pod["restarts"] for pod in state["pools"][0]["pods"]) == 1 and is_ready(state)
    )
    assert "kept what was there before" in (running.folder / "said").read_text()
    assert (await running.predict([[TEXTS[0]]]))[2]["X-Phalanx-Plan"] == running.state["pools"][0]["plan"]

    family = psutil.Process(running.process.pid).children(recursive=True)
    assert len(family) == 2
    running.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(running.process.wait(), 60) == 0
    assert not psutil.wait_procs(family, timeout=5)[1]
    left = sorted(path.name for path in running.folder.rglob("*") if path.is_file())
    assert left == ["output.log", "output.log", "said"]


async def run(*arguments: str, cwd: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "phalanx_cli",
        *arguments,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_files_that_are_wrong_from_the_start_are_refused_by_field(tmp_path):
    (tmp_path / "bad.yaml").write_text(resource("StudentEnsemble", "a", {"pool": "gpus", "students": {"min": 0}}))
    code, said = await run("up", "bad.yaml", "--state-dir", str(tmp_path / "s"), cwd=tmp_path)
    assert code == 1
    assert "bad.yaml: StudentEnsemble a: spec.artifact: must be there unless spec.distill is" in said
    assert "spec.students.min" in said
    assert "Traceback" not in said


async def test_top_without_an_up_says_so(tmp_path):
    code, said = await run("top", "--once", "--state-dir", str(tmp_path), cwd=tmp_path)
    assert code == 1
    assert re.search(r"no `phalanx up` runs", said)
