"""What is read from an API server for the stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_contract.runtime import API_VERSION
from phalanx_operator.api.parse import parse_ensemble, parse_pool
from phalanx_operator.api.types import Distill
from phalanx_operator.apply.api import KubeApi
from phalanx_operator.build import distillation_job
from phalanx_operator.build.deployment import deployment
from phalanx_operator.build.service import service
from phalanx_operator.handlers.cluster import PAGE, SELECTOR, KubernetesCluster
from phalanx_operator.observe.store import Ref
from tests.operator import objects

KIND = "TenantAdapter"


class Lists:
    """A server with so many tenants, which it lists in pages."""

    def __init__(self, count: int) -> None:
        self.names = [f"tenant-{index:05}" for index in range(count)]
        self.queries: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        first = int(request.query.get("continue", 0))
        last = first + int(request.query["limit"])
        meta = {"namespace": "ml", "managedFields": [{"manager": "kubectl"}]}
        items = [{"metadata": {"name": name, **meta}, "spec": {}} for name in self.names[first:last]]
        rest = {"continue": str(last)} if last < len(self.names) else {}
        return web.json_response({"metadata": {"resourceVersion": "7", **rest}, "items": items})


@pytest.fixture
async def lists(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Lists, KubernetesCluster]]:
    server, app = Lists(request.param), web.Application()
    app.router.add_route("GET", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = KubeApi(ApiClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")))
    yield server, KubernetesCluster(api, policy_api="policy/v1")
    await api.close()
    await runner.cleanup()


@pytest.mark.parametrize("lists", [0, 3, PAGE, 2 * PAGE + 1], indirect=True)
async def test_all_objects_are_read_a_page_at_a_time_and_none_twice(lists: tuple[Lists, KubernetesCluster]):
    server, cluster = lists
    found = await cluster.read_all(API_VERSION, KIND, None, labelSelector=SELECTOR)
    assert [each["metadata"]["name"] for each in found] == server.names
    assert all(each["kind"] == KIND and each["apiVersion"] == API_VERSION for each in found)
    assert len(server.queries) == max(1, -(-len(server.names) // PAGE))
    assert all(query["labelSelector"] == SELECTOR for query in server.queries)


@pytest.mark.parametrize("lists", [1], indirect=True)
async def test_who_set_which_field_is_not_kept(lists: tuple[Lists, KubernetesCluster]):
    found: list[dict[str, Any]] = await lists[1].read_all(API_VERSION, KIND, None)
    assert "managedFields" not in found[0]["metadata"]


@pytest.mark.parametrize("lists", [0], indirect=True)
async def test_the_jobs_of_a_pools_ensembles_are_its_children_and_their_pods_its_own(
    lists: tuple[Lists, KubernetesCluster],
):
    """Jobs belong to ensembles; what is left of another pool of the name is the garbage collector's."""
    _, cluster = lists
    cluster.store.put(objects.pool())
    ensemble, pool = parse_ensemble(objects.distilled()), parse_pool(objects.pool())
    assert isinstance(ensemble.source, Distill)
    job = distillation_job(ensemble, ensemble.source, pool, default_image="worker:1", failure_policy=False)
    older = parse_pool({**objects.pool(), "metadata": {**objects.pool()["metadata"], "uid": "of-another"}})
    pod = {"kind": "Pod", "metadata": {"name": "p", "namespace": "default", "labels": job["metadata"]["labels"]}}
    for made in (job, service(pool), deployment(older, default_image="worker:1", replicas=1), pod):
        cluster.made.put(made)
    assert [child["kind"] for child in await cluster.children(pool.meta.key)] == ["Service", "Job"]
    assert await cluster.pods(pool.meta.key) == [pod]
    cluster.store.remove(Ref("ServingPool", pool.meta.key))
    assert await cluster.jobs() == [job], "whether the pool exists or not"
