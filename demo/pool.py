"""`phalanx up` as a child process, and what it says of itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from phalanx_contract.runtime import API_VERSION

POOL, ENSEMBLE = "demo", "questions"
State = dict[str, Any]


def write_resources(path: Path, *, artifact: Path, digest: str, objective_s: float, burst_loss: float) -> None:
    """The YAML that a user would write, for the artifact that was distilled."""
    pool = {
        "apiVersion": API_VERSION,
        "kind": "ServingPool",
        "metadata": {"name": POOL},
        "spec": {
            "replicas": {"min": 1, "max": 1},
            "objective": {"p99": f"{1000 * objective_s:g}ms"},
            "metrics": {"interval": "2s"},
            # The load generator shares this machine: one core computes, the other sends.
            "worker": {"env": [{"name": "PHALANX_WORKER_THREADS", "value": "1"}]},
        },
    }
    ensemble = {
        "apiVersion": API_VERSION,
        "kind": "StudentEnsemble",
        "metadata": {"name": ENSEMBLE},
        "spec": {
            "pool": POOL,
            "artifact": {"uri": artifact.resolve().as_uri(), "digest": digest},
            "students": {"min": 1},
            "exits": {"mode": "Auto"},
            "accuracy": {"loss": 0.02, "burstLoss": burst_loss},
        },
    }
    path.write_text(yaml.safe_dump_all([pool, ensemble], sort_keys=False))


class LocalPool:
    """Runs `phalanx up` for the length of a `with` block, and checks that it leaves nothing behind."""

    def __init__(self, resources: Path, folder: Path) -> None:
        self._state = folder / "state"
        self._log = folder / "up.log"
        self._command = [sys.executable, "-m", "phalanx_cli", "up", str(resources)]
        self._command += ["--state-dir", str(self._state), "--port", "0", "--plain"]
        self.pids: set[int] = set()

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def state(self) -> State | None:
        """The newest state; None before the first."""
        try:
            state: State = json.loads((self._state / "status.json").read_text())
        except FileNotFoundError:
            return None
        self.pids |= {pod["pid"] for pool in state["pools"] for pod in pool["pods"] if pod["pid"]}
        return state

    def wait(self, what: str, until: Callable[[State], bool], *, deadline_s: float) -> State:
        """Poll until the state is as wanted.

        Raises:
            RuntimeError: it never was, or `phalanx up` ended; the text says where its log lies.
        """
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            state = self.state()
            if state is not None and until(state):
                return state
            if self._process.poll() is not None:
                raise RuntimeError(f"`phalanx up` ended while we waited until {what}; see {self._log}")
            time.sleep(0.2)
        raise RuntimeError(f"after {deadline_s:g} s: not {what}; see {self._log} and {self._state}/pods")

    def stop(self) -> None:
        """End it as Ctrl-C does.

        Raises:
            RuntimeError: a worker outlived it.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(90)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        left = [pid for pid in self.pids if _alive(pid)]
        if left:
            raise RuntimeError(f"workers outlived `phalanx up`: {left}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
