"""`kubectl phalanx status`, `explain` and `recommend` over HTTP, and errors that say what to do."""

from __future__ import annotations

import importlib
import tomllib

import pytest

from tests.binaries import REPOSITORY
from tests.cli.apiserver import ApiServer
from tests.cli.conftest import KINDS, Run


def test_status_shows_the_namespace_of_the_context_and_ends_with_1_if_something_is_broken(api: ApiServer, run: Run):
    done = run("status")
    assert done.exit_code == 1
    assert done.output.splitlines()[1].startswith("ens/topics")
    assert {path for _, path, _ in api.requests} == {
        f"/apis/phalanx.dev/v1alpha1/namespaces/ml/{kind}" for kind in KINDS
    }


def test_the_namespace_is_the_options_then_the_contexts_then_default(api: ApiServer, run: Run):
    assert "no ServingPool" in run("status", "--context", "bare").output
    assert run("status", "--context", "bare", "-n", "ml").output.splitlines()[1].startswith("ens/topics")
    assert run("status", "-A").output.startswith("NAMESPACE")
    assert run("status", "--context", "bare").exit_code == 0


def test_lists_are_read_page_by_page(api: ApiServer, run: Run):
    whole = run("status").output
    api.page(1)
    assert run("status").output == whole


def test_explain_takes_the_kinds_names_and_a_bare_one(api: ApiServer, run: Run):
    texts = {
        run("explain", f"{prefix}sentiment").output for prefix in ("ens/", "studentensemble/", "studentensembles/", "")
    }
    assert len({text.partition("Students")[2][:200] for text in texts}) == 1
    assert "1 to 2 of 4 may answer" in texts.pop()


def test_recommend_is_about_the_pool_and_the_ensembles_on_it(api: ApiServer, run: Run):
    output = run("recommend", "pool/gpus").output
    assert output.startswith("pool/gpus decides by itself")
    assert "ens/sentiment" in output and "ens/topics" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "pool/gpus"), "write ens/NAME"),
        (("explain", "ens/"), "write ens/NAME"),
        (("explain", "ens/nobody"), "no StudentEnsemble nobody in this namespace (there: sentiment, topics)"),
        (("recommend", "pool/nobody"), "no ServingPool nobody in this namespace (there: gpus)"),
        (("status", "--context", "nowhere"), "name a cluster with --kubeconfig or --context"),
        (("status", "--kubeconfig", "/nonexistent"), "does not exist"),
    ],
)
def test_a_slip_is_answered_with_one_line_and_the_next_step(api: ApiServer, run: Run, arguments, said):
    done = run(*arguments)
    assert done.exit_code != 0
    error = next(line for line in done.output.splitlines() if line.startswith("Error:"))
    assert said in error


@pytest.mark.parametrize("text", ["junk", "- 1", "a: [", "", "current-context: x\ncontexts: 3", "\x00"])
def test_a_kubeconfig_that_is_none_is_named_in_one_line(tmp_path, run: Run, text: str):
    (path := tmp_path / "config").write_text(text)
    done = run("status", "--kubeconfig", str(path))
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {path} cannot be used: ")
    assert done.output.endswith("; name a cluster with --kubeconfig or --context\n")
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (403, 'servingpools is forbidden: User "u" cannot list', "ask your administrator for that right"),
        (401, "Unauthorized", "log in again"),
        (404, "the server could not find the requested resource", "install the chart"),
        (500, "etcdserver: request timed out", "etcdserver"),
    ],
)
def test_a_refusal_is_one_line_and_names_the_next_step(api: ApiServer, run: Run, status, message, said):
    api.refuse["servingpools"] = (status, message)
    done = run("status")
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert line.startswith("Error: ") and said in line


def test_a_cluster_that_does_not_answer_is_named(api: ApiServer, run: Run, tmp_path):
    text = (tmp_path / "kubeconfig").read_text()
    host = next(line for line in text.splitlines() if "server:" in line).split()[-1]
    (tmp_path / "down").write_text(text.replace(host, "http://127.0.0.1:9"))
    done = run("status", "--kubeconfig", str(tmp_path / "down"))
    (line,) = done.output.splitlines()
    assert "the API server does not answer" in line and "--context" in line


def test_kubectl_finds_the_executable_that_the_package_installs():
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["kubectl-phalanx"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
