"""Jobs as processes: tries, ends and what their pods say."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import LABEL_DISTILLS_FOR
from phalanx_operator.local import jobs as module
from phalanx_operator.local.jobs import LocalJobs
from phalanx_operator.local.runner import ProcessRunner
from phalanx_operator.local.volumes import Contents
from phalanx_operator.reconcile.backoff import Backoff

POOL = Key("default", "gpus")
DEADLINE_S = 60.0


def job(program: str, **spec: Any) -> Manifest:
    """A Job whose pod runs a line of Python; `END` in it is where its termination message goes."""
    container = {
        "name": "distill",
        "command": [sys.executable, "-c", program.replace("END", "'/dev/termination-log'")],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "work", "mountPath": "/scratch"}],
    }
    volume = {"name": "work", "persistentVolumeClaim": {"claimName": "models"}}
    labels = {LABEL_DISTILLS_FOR: "gpus"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": [volume]}}
    template["spec"]["restartPolicy"] = "Never"  # type: ignore[index]
    metadata = {"name": "ens-1", "namespace": "default", "labels": labels}
    return {"kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 1, "template": template} | spec}


class Running:
    """Jobs, and how often something changed."""

    def __init__(self, root: Path) -> None:
        self.claim = root / "claim"
        self.claim.mkdir()
        self._turned = asyncio.Event()
        contents = Contents(claims={"models": self.claim})
        self.jobs = LocalJobs(ProcessRunner(root / "pods"), show=lambda _: contents, changed=self._changed)

    def _changed(self, pool: Key) -> None:
        assert pool == POOL
        self._turned.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._turned.clear()
                await self._turned.wait()

    def ended(self) -> bool:
        (found,) = self.jobs.of(POOL)
        return bool(found["status"]["conditions"])

    @property
    def condition(self) -> Manifest:
        (found,) = self.jobs.of(POOL)
        held: Manifest = found["status"]["conditions"][0]
        return held

    @property
    def messages(self) -> list[str]:
        """The termination messages of its pods."""
        ended = [pod["status"]["containerStatuses"][0]["state"]["terminated"] for pod in self.jobs.pods_of(POOL)]
        return [each.get("message", "") for each in ended]


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(module, "RETRY", Backoff(initial_s=0.01))
    made = Running(tmp_path)
    yield made
    await made.jobs.close_pool(POOL, grace_s=0)


async def test_a_pod_that_succeeds_completes_its_job_and_leaves_its_message(running: Running):
    running.jobs.apply(job("open(END, 'w').write('done')"))
    await running.until(running.ended)
    assert running.condition["type"] == "Complete"
    assert running.messages == ["done"]


async def test_a_pod_that_fails_is_followed_by_another_which_finds_what_the_first_one_left(running: Running):
    program = "import pathlib; file = pathlib.Path('/scratch/mark'); file.exists() or (file.touch(), 1 / 0)"
    running.jobs.apply(job(program))
    await running.until(running.ended)
    assert running.condition["type"] == "Complete"
    first, second = running.messages
    assert "ZeroDivisionError" in first, "it said nothing itself: the end of its log does"
    assert second == ""


async def test_a_job_is_given_up_after_its_retries(running: Running):
    running.jobs.apply(job("raise SystemExit(3)"))
    await running.until(running.ended)
    assert (running.condition["type"], running.condition["reason"]) == ("Failed", "BackoffLimitExceeded")
    assert len(running.messages) == 2


async def test_what_no_other_try_would_mend_ends_the_job_at_once(running: Running):
    refused = {"action": "FailJob", "onExitCodes": {"containerName": "distill", "operator": "In", "values": [64]}}
    running.jobs.apply(job("raise SystemExit(64)", podFailurePolicy={"rules": [refused]}))
    await running.until(running.ended)
    assert running.condition["reason"] == "PodFailurePolicy"
    assert len(running.messages) == 1


async def test_a_job_that_takes_too_long_is_given_up_with_its_process(running: Running):
    running.jobs.apply(job("import time; time.sleep(600)", activeDeadlineSeconds=1))
    await running.until(running.ended)
    assert running.condition["reason"] == "DeadlineExceeded"


async def test_a_job_that_is_deleted_ends_with_its_process_and_is_forgotten(running: Running):
    sleeper = job("import time; time.sleep(600)")
    running.jobs.apply(sleeper)
    await running.until(lambda: any(pod["status"]["phase"] == "Running" for pod in running.jobs.pods_of(POOL)))
    running.jobs.apply(sleeper)
    assert running.jobs.all() == running.jobs.of(POOL)
    assert len(running.jobs.of(POOL)) == 1, "what is there stays as it is"
    await running.jobs.delete(sleeper)
    assert (running.jobs.of(POOL), running.jobs.pods_of(POOL)) == ([], [])
