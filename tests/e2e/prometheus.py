"""A real Prometheus, told of the workers by a file: distributions build it without Kubernetes discovery."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.binaries import need
from tests.e2e.controlplane import free_port

HINT: Final = "install the package `prometheus`"
TARGETS: Final = "targets.json"


def config(targets: Path) -> dict[str, Any]:
    """Scrape what the file lists."""
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {"job_name": "workers", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
        ],
    }


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool; skip the test where there is none."""
    program = need("promtool", HINT)
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prometheus:
    """A running server and its folder."""

    url: str
    folder: Path

    def scrape(self, namespace: str, pod: str, address: str) -> None:
        """Make this worker the only target, under the labels that Kubernetes discovery gives."""
        targets = [{"targets": [address], "labels": {"namespace": namespace, "pod": pod}}]
        partial = self.folder / "targets.partial"
        partial.write_text(json.dumps(targets))
        partial.replace(self.folder / TARGETS)


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus in a folder, until it is left."""
    program = need("prometheus", HINT)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config(folder / TARGETS)))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/-/ready", process, folder / "prometheus.log")
        yield Prometheus(url=url, folder=folder)
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError) as problem:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no Prometheus: {problem}\n{log.read_text()}") from problem
        time.sleep(0.1)
