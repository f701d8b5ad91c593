"""`phalanx top`: a local `phalanx up` first, a cluster with kubectl's options or where none runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from phalanx_cli import top as top_module
from phalanx_cli.cluster.access import Place
from phalanx_operator.apply.connect import connect_as
from phalanx_operator.local.state import StateDir
from tests.cli.apiserver import ApiServer
from tests.cli.conftest import Run
from tests.operator.local.test_state import view


@pytest.fixture
def local(tmp_path: Path, api: ApiServer) -> StateDir:
    """A `phalanx up` that runs on this machine."""
    with StateDir(tmp_path / "state" / "phalanx" / "local", keep_logs=False) as state:
        state.write(view())
        yield state


def test_without_a_local_one_it_is_the_cluster_and_says_so(api: ApiServer, top: Run):
    output = top("--once").output
    assert output.splitlines()[0].startswith("cluster http://127.0.0.1:")
    assert output.splitlines()[0].endswith("namespace ml")
    assert "ml/sentiment" in output and "Overloaded" in output


def test_a_local_one_goes_first_and_says_so(local: StateDir, api: ApiServer, top: Run):
    output = top("--once").output
    assert output.splitlines()[0].startswith("phalanx up, ")
    assert "21.3ms" in output
    assert api.requests == []


@pytest.mark.parametrize("option", [("-A",), ("-n", "ml"), ("--context", "here")])
def test_any_of_kubectls_options_means_the_cluster(local: StateDir, top: Run, option):
    assert top("--once", *option).output.startswith("cluster ")


def test_all_namespaces_are_named_in_the_title(api: ApiServer, top: Run):
    assert top("--once", "-A").output.splitlines()[0].endswith("all namespaces")


def test_json_names_its_source(local: StateDir, top: Run):
    assert json.loads(top("-o", "json").output)["source"] == "local"
    cluster = json.loads(top("-o", "json", "-n", "ml").output)
    assert cluster["source"] == "cluster"
    assert cluster["ensembles"][0]["students"]["ceiling"] == 2


def test_a_state_folder_in_which_none_runs_is_an_error_and_never_a_cluster(api: ApiServer, top: Run, tmp_path: Path):
    done = top("--once", "--state-dir", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert "no `phalanx up` runs with the state folder" in done.output
    assert api.requests == []


def test_a_state_folder_and_a_cluster_at_once_are_refused(api: ApiServer, top: Run, tmp_path: Path):
    done = top("--state-dir", str(tmp_path), "-n", "ml")
    assert done.exit_code == 2
    assert "give one kind" in done.output


async def test_the_live_display_goes_on_while_the_api_server_does_not_answer(api: ApiServer, monkeypatch):
    monkeypatch.setattr(top_module, "CLUSTER_EVERY_S", 0.01)
    drawn: list[str] = []
    monkeypatch.setattr("phalanx_cli.cluster.show.drawn", lambda lines: drawn.append(lines[1].text) or "")
    client, namespace = await connect_as()
    watching = asyncio.create_task(top_module.watch(Place(client, namespace)))

    async def until(text: str) -> None:
        seen = len(drawn)
        async with asyncio.timeout(30):
            while not any(text in line for line in drawn[seen:]):
                await asyncio.sleep(0.01)

    await until("POOL")
    api.refuse["servingpools"] = (503, "etcd leader changed")
    await until("etcd leader changed")
    api.refuse.clear()
    await until("POOL")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await client.close()
