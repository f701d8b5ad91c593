"""A real Prometheus that discovers the workers through the Kubernetes API."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.binaries import need
from tests.e2e.controlplane import free_port

HINT: Final = "install the package `prometheus`"


def config(kubeconfig: Path, namespace: str) -> dict[str, Any]:
    """Scrape each pod that asks for it by annotation, at the port that it names; keep namespace and pod as labels."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "pods",
                "kubernetes_sd_configs": [
                    {"role": "pod", "kubeconfig_file": str(kubeconfig), "namespaces": {"names": [namespace]}}
                ],
                "relabel_configs": [
                    {"action": "keep", "source_labels": [f"{annotation}scrape"], "regex": "true"},
                    {
                        "source_labels": ["__meta_kubernetes_pod_ip", f"{annotation}port"],
                        "separator": ":",
                        "target_label": "__address__",
                    },
                    {"source_labels": [f"{annotation}path"], "target_label": "__metrics_path__"},
                    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
                    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
                ],
            }
        ],
    }


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool; skip the test where there is none."""
    program = need("promtool", HINT)
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def prometheus(folder: Path, *, kubeconfig: Path, namespace: str) -> Iterator[str]:
    """Run Prometheus in a folder; gives its URL once it answers."""
    program = need("prometheus", HINT)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config(kubeconfig, namespace)))
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
        yield url
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
