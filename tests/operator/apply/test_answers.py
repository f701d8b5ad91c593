"""What becomes of every answer that an API server may give."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_operator.apply import answers
from phalanx_operator.apply.answers import LONGEST_PAUSE_S, TRIES, Course, course, pause_s, retry_after_s
from phalanx_operator.apply.api import MERGE, ApiError, KubeApi
from phalanx_operator.apply.paths import resource_of, verb_of
from phalanx_operator.errors import FencedError
from phalanx_operator.lead.fence import Fence, always_open
from phalanx_operator.tally import REGISTRY

PATH = "/api/v1/namespaces/ml/configmaps/gpus-plan-0"
DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


class Faulty:
    """Answers with the next of `script` (a status, `drop` or `hang`), and with 200 when it has ended.

    `hangs` is called for each request that is left without an answer.
    """

    def __init__(self) -> None:
        self.hangs: Callable[[], None] = lambda: None
        self.script: list[int | str] = []
        self.headers: dict[str, str] = {}
        self.asked = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        step = self.script.pop(0) if self.script else 200
        if step == "hang":
            self.hangs()
            await asyncio.sleep(3600)
        if step == "drop":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(
            {"message": "said"}, status=step if isinstance(step, int) else 500, headers=self.headers
        )


@pytest.fixture
async def faulty() -> AsyncIterator[tuple[Faulty, ApiClient]]:
    server = Faulty()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = ApiClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"))
    yield server, client
    await client.close()
    await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds: how long they are is a matter of the pure part."""
    monkeypatch.setattr(answers, "PAUSE_S", 0.001)


@pytest.fixture
async def hour_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts the event loop's clock forward: what has waited for less than an hour is due."""
    loop = asyncio.get_running_loop()
    clock, skipped_s = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + sum(skipped_s))
    return lambda: skipped_s.append(3600.0)


def kube(client: ApiClient, **options: Any) -> KubeApi:
    return KubeApi(client, fence=always_open(), dice=lambda: 0.0, **options)


async def patch(api: KubeApi) -> Any:
    return await api.patch(PATH, {"data": {}}, kind=MERGE)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, "drop"])
async def test_what_may_pass_is_tried_again(faulty, status):
    server, client = faulty
    server.script = [status] * (TRIES - 1)
    await patch(kube(client))
    assert server.asked == TRIES


@pytest.mark.parametrize("status", [429, 500, 503, "drop"])
async def test_what_does_not_pass_fails_the_round_after_some_tries(faulty, status):
    server, client = faulty
    server.script = [status] * 10
    with pytest.raises(ApiError) as caught:
        await patch(kube(client))
    assert server.asked == TRIES
    assert not caught.value.refused
    assert caught.value.status == (0 if status == "drop" else status)


@pytest.mark.parametrize("status", [400, 403, 405, 413, 415, 422])
async def test_what_the_server_will_not_have_is_told_at_once(faulty, status):
    server, client = faulty
    server.script = [status]
    with pytest.raises(ApiError, match=r"PATCH .*gpus-plan-0: said") as caught:
        await patch(kube(client))
    assert server.asked == 1
    assert caught.value.refused


@pytest.mark.parametrize("status", [401, 404, 409, 410])
async def test_what_a_new_look_may_mend_waits_for_the_next_round(faulty, status):
    server, client = faulty
    server.script = [status]
    with pytest.raises(ApiError) as caught:
        await patch(kube(client))
    assert server.asked == 1
    assert course(status) is Course.NEXT_ROUND
    assert not caught.value.refused


async def test_a_server_that_asks_for_more_patience_gets_it_from_the_round(faulty):
    server, client = faulty
    server.script, server.headers = [429], {"Retry-After": "30"}
    with pytest.raises(ApiError) as caught:
        await patch(kube(client))
    assert server.asked == 1
    assert caught.value.retry_after_s == 30


async def test_a_request_that_hangs_is_given_up_and_one_that_may_not_wait_is_asked_once(faulty, hour_passes):
    server, client = faulty
    # The time begins to pass when the request is there, however busy the machine is.
    server.script, server.hangs = ["hang"], hour_passes
    with pytest.raises(ApiError, match="TimeoutError") as caught:
        await patch(kube(client, timeout_s=60.0, patient=False))
    assert (server.asked, caught.value.status) == (1, 0)


async def test_a_closed_fence_sends_no_write_and_lets_reads_pass(faulty):
    server, client = faulty
    api = KubeApi(client, fence=Fence())
    for write in (api.create(PATH, {}), api.replace(PATH, {}), patch(api), api.delete(PATH, {})):
        with pytest.raises(FencedError):
            await write
    assert server.asked == 0
    await api.get(PATH)
    assert server.asked == 1


async def test_each_try_asks_the_fence_so_that_a_lost_lease_ends_the_trying(faulty):
    server, client = faulty
    server.script = [503] * 10
    fence = Fence()
    fence.extend(until=float("inf"), over=float("inf"))

    def dice() -> float:
        fence.close()
        return 0.0

    with pytest.raises(FencedError):
        await patch(KubeApi(client, fence=fence, dice=dice))
    assert server.asked == 1


async def test_a_write_is_given_up_when_the_lease_may_be_anothers(faulty):
    server, client = faulty
    server.script = ["hang"]
    fence = Fence(lambda: 0.0)
    fence.extend(until=1.0, over=0.05)
    with pytest.raises(ApiError, match="TimeoutError"):
        await patch(KubeApi(client, fence=fence, patient=False))


async def test_requests_are_counted_by_verb_resource_and_code(faulty):
    server, client = faulty
    before = counted("patch", "configmaps", "503"), counted("patch", "configmaps", "200")
    server.script = [503]
    await patch(kube(client))
    after = counted("patch", "configmaps", "503"), counted("patch", "configmaps", "200")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def counted(verb: str, resource: str, code: str) -> float:
    labels = {"verb": verb, "resource": resource, "code": code}
    return REGISTRY.get_sample_value("phalanx_operator_api_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        ("GET", "/apis", "get", "discovery"),
        ("GET", "/apis/phalanx.dev/v1alpha1", "get", "discovery"),
        ("GET", "/api/v1/namespaces/pods/pods?labelSelector=a", "list", "pods"),
        ("GET", "/api/v1/namespaces/ml/secrets/pods", "get", "secrets"),
        ("GET", "/apis/phalanx.dev/v1alpha1/servingpools", "list", "servingpools"),
        ("PATCH", "/apis/phalanx.dev/v1alpha1/namespaces/ml/servingpools/a/status", "patch", "servingpools/status"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ml/leases/a", "update", "leases"),
        ("POST", "/api/v1/namespaces/ml/gadgets", "create", "other"),
    ],
)
def test_labels_of_requests_come_from_closed_sets(method, path, verb, resource):
    assert (verb_of(method, path), resource_of(path)) == (verb, resource)


@given(st.integers(1, 10), st.none() | st.floats(0, 100), st.floats(0, 0.999))
def test_a_pause_is_no_shorter_than_what_is_asked_for_and_never_long(failures, asked_s, dice):
    wait_s = pause_s(failures, asked_s=asked_s, dice=dice)
    if wait_s is None:
        assert failures >= TRIES or (asked_s or 0) > LONGEST_PAUSE_S
    else:
        assert (asked_s or 0) <= wait_s <= LONGEST_PAUSE_S * 1.5


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-1", None)]
)
def test_a_retry_after_that_is_no_number_is_none(text, seconds):
    assert retry_after_s({"Retry-After": text}) == seconds


def test_the_table_in_the_documentation_says_what_is_done():
    rows = re.findall(r"^\| ([^|]*`\d{3}`[^|]*|no answer[^|]*) \| (\w[^|]*) \|", DOCS.read_text(), re.MULTILINE)
    told = {int(code): text.strip() for codes, text in rows for code in re.findall(r"`(\d{3})`", codes)}
    words = {Course.TRY_AGAIN: "again", Course.NEXT_ROUND: "next round", Course.REPORT: "condition"}
    assert set(told) >= {400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 502, 503, 504}
    for code, text in told.items():
        assert words[course(code)] in text, (code, text)
