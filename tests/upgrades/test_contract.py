"""Operator and workers of two releases understand each other, held against the previous release's own code."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phalanx_contract.plan import Plan, encode_plan, hash_plan, parse_plan
from phalanx_contract.revisions import FIRST_REVISION, PLAN_REVISION, withheld, within
from phalanx_contract.wire import pack
from phalanx_contract.worker import EnsembleReport, LoadReason, LoadState, WorkerStatus, parse_status
from tests.contract.strategies import plans
from tests.releases import previous

OLD_READER: Final = """
import base64, json, sys
from phalanx_contract.errors import ContractError
from phalanx_contract.plan import encode_plan
from phalanx_contract.wire import unpack
from phalanx_contract.worker import parse_status
import phalanx_contract
assert sys.argv[1] in phalanx_contract.__file__, phalanx_contract.__file__

def plan(files):
    plan_hash, found = unpack({name: base64.b64decode(text) for name, text in files.items()})
    return [plan_hash, encode_plan(found).decode()]

for line in sys.stdin:
    kind, value = json.loads(line)
    try:
        answer = plan(value) if kind == "plan" else parse_status(value.encode()).plan
    except ContractError as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer), flush=True)
"""
"""Answers each line: the plan in these files as the previous release reads it, or the plan that a report names."""


class Previous:
    """The previous release's contract, in a process of its own."""

    def __init__(self) -> None:
        wheel = str(previous().wheel)
        code = f"import sys; sys.path.insert(0, sys.argv[1])\n{OLD_READER}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, wheel], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, kind: str, value: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([kind, value]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def read(self, plan: Plan) -> Any:
        """What its worker makes of a plan that lies in its folder."""
        _, parts = pack(plan, max_part_bytes=400)
        files = {name: content for part in parts for name, content in part.items()}
        return self.ask("plan", {name: base64.b64encode(content).decode() for name, content in files.items()})

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def old():
    reader = Previous()
    yield reader
    reader.close()


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(plan=plans)
def test_a_worker_of_the_previous_release_reads_every_plan_that_is_written_for_it(old, plan):
    words = within(plan, FIRST_REVISION)
    plan_hash, text = old.read(words)
    assert (plan_hash, text.encode()) == (hash_plan(words), encode_plan(words))
    assert parse_plan(text.encode()) == words, "what its operator writes is read by a worker of this release"


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(plan=plans, revision=st.integers(FIRST_REVISION, PLAN_REVISION))
def test_fewer_words_serve_the_same_artifacts_to_the_same_tenants(plan, revision):
    words = within(plan, revision)
    assert withheld(words, revision) == frozenset()
    assert [(each.name, each.artifact, each.cut, each.adapters) for each in words.ensembles] == [
        (each.name, each.artifact, each.cut, each.adapters) for each in plan.ensembles
    ]
    lost = {was.name for was, now in zip(plan.ensembles, words.ensembles, strict=True) if was != now}
    assert lost == withheld(plan, revision)
    assert within(plan, PLAN_REVISION) == plan


def test_a_plan_with_words_that_it_does_not_know_is_refused_whole(old):
    """So the operator has to write in its words: it would keep its plan, but after a restart it would have none."""
    artifact = {"uri": "pvc://models/m", "digest": "sha256:" + "a" * 64}
    ensemble = {"name": "m", "artifact": artifact}
    candidate = {"artifact": artifact | {"uri": "pvc://models/n"}}
    body = {"namespace": "default", "pool": "gpus", "objective_p99_s": 1.0, "ensembles": [ensemble]}
    plain = parse_plan(json.dumps(body).encode())
    assert "refused" not in old.read(plain)
    newer = parse_plan(json.dumps(body | {"ensembles": [ensemble | {"candidate": candidate}]}).encode())
    assert "candidate" in old.read(newer)["refused"]


def test_the_operators_of_both_releases_read_the_reports_of_both_releases_workers(old):
    report = EnsembleReport(name="m", wanted_digest="sha256:1", state=LoadState.SERVING)
    status = WorkerStatus(plan="sha256:2", ready=True, plan_revision=PLAN_REVISION, ensembles=(report,))
    assert old.ask("status", msgspec.json.encode(status).decode()) == "sha256:2"
    # The previous release's report has no revision.
    assert parse_status(b'{"plan": "sha256:2", "version": "0.1.0"}').plan_revision == FIRST_REVISION


def test_states_and_reasons_of_a_later_release_are_read_as_not_served_and_in_words():
    body = {"name": "m", "wanted_digest": "d", "state": "Thawing", "reason": "TooCold", "message": "wait for summer"}
    (read,) = parse_status(json.dumps({"ensembles": [body]}).encode()).ensembles
    assert (read.state, read.reason, read.message) == (LoadState.LOADING, LoadReason.NONE, "wait for summer")
