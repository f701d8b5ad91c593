"""A real Prometheus, told of the workers by a file: distributions build it without Kubernetes discovery."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


class Prometheus:
    """A server with a folder of its own, which outlives its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._program = need("prometheus", HINT)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it; also again, on the data that it left. Returns once it answers.

        Raises:
            AssertionError: it does not; the text is its log.
        """
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config(self.folder / TARGETS)))
        command = [
            str(self._program),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]
        log = self.folder / "prometheus.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        _wait(f"{self.url}/-/ready", self._process, log)

    def kill(self) -> None:
        """End it with SIGKILL: nothing is written any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def scrape(self, namespace: str, pod: str, address: str) -> None:
        """Make this worker the only target."""
        self.scrape_all(namespace, {pod: address})

    def scrape_all(self, namespace: str, addresses: Mapping[str, str]) -> None:
        """Make these workers, by the names of their pods, the targets, under the labels of Kubernetes discovery."""
        targets = [
            {"targets": [address], "labels": {"namespace": namespace, "pod": pod}} for pod, address in addresses.items()
        ]
        partial = self.folder / "targets.partial"
        partial.write_text(json.dumps(targets))
        partial.replace(self.folder / TARGETS)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus in a folder, until it is left."""
    server = Prometheus(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


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
