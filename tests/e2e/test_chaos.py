"""Prometheus, a worker, the operator and the API server, each killed with -9 under load: `make chaos` in short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.chaos.plan import SHORT, Fault, plan
from bench.chaos.run import chaos
from bench.chaos.stage import MODEL
from tests.e2e.artifacts import make_ensemble
from tests.e2e.prometheus import Prometheus, prometheus
from tests.e2e.scene import Scene

SEED = 4


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


async def test_nothing_accepted_is_lost_nothing_held_falls_and_all_converges(scene: Scene, server, artifact):
    rows = await chaos(scene, server, artifact, plan(seed=SEED, rounds=1, pace=SHORT), seed=SEED, tell=print)
    assert {row.fault: row.broken for row in rows} == dict.fromkeys(Fault, ()), rows
    for row in rows:
        assert row.requests.answered > 0.9 * row.requests.sent, row
