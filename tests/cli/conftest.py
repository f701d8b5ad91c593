"""A command against an API server of its own."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from phalanx_cli.main import main as phalanx
from phalanx_cli.plugin.main import main as plugin
from tests.cli.apiserver import ApiServer, serving
from tests.operator.describe import scene

Run = Callable[..., Result]
_PHALANX = "/apis/phalanx.dev/v1alpha1"
KINDS = ("servingpools", "studentensembles", "tenantadapters")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Holds the scene of `tests.operator.describe`, in namespace ml and in all; KUBECONFIG leads to it."""
    with serving(tmp_path) as (server, kubeconfig):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        fill(server)
        yield server


def fill(server: ApiServer) -> None:
    seen = scene.seen()
    for plural, objects in zip(KINDS, (seen.pools, seen.ensembles, seen.adapters), strict=True):
        server.lists[f"{_PHALANX}/namespaces/ml/{plural}"] = json.loads(json.dumps(objects))
        server.lists[f"{_PHALANX}/{plural}"] = json.loads(json.dumps(objects))
        server.lists[f"{_PHALANX}/namespaces/default/{plural}"] = []
    server.objects[f"{_PHALANX}/namespaces/ml/servingpools/gpus"] = json.loads(json.dumps(seen.pools[0]))


@pytest.fixture
def run() -> Run:
    """Run `kubectl phalanx ARGUMENTS`, or another command's."""

    def call(*arguments: str, command: click.Command = plugin) -> Result:
        # What earlier tests left would be warned of in the middle of the output.
        gc.collect()
        return CliRunner().invoke(command, arguments, env={**os.environ, "COLUMNS": "300"}, catch_exceptions=False)

    return call


@pytest.fixture
def top(run: Run) -> Run:
    """Run `phalanx top ARGUMENTS`."""
    return lambda *arguments: run("top", *arguments, command=phalanx)
