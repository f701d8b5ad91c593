"""Progress as pods tell it; one that tells nothing, or nonsense, holds nobody up."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from phalanx_contract.distillation import PROGRESS_PATH, Progress
from phalanx_operator.observe.distillers import progress_of
from phalanx_operator.observe.targets import Target


def target(port: int | None) -> Target:
    return Target(namespace="default", pod="p", host="127.0.0.1", port=port or 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"stage": "teacher", "share": 0.5, "left_s": 12.5}', Progress(stage="teacher", share=0.5, left_s=12.5)),
        ('{"stage": "teacher", "share": 0.5, "news": 1}', Progress(stage="teacher", share=0.5)),
        ('{"stage": "teacher", "share": 7}', None),
        ("\xff not JSON", None),
    ],
)
async def test_what_a_pod_says_is_read_or_is_no_answer(body, told):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get(PROGRESS_PATH, answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        found = await progress_of(session, [target(server.port)])
    assert found == ({} if told is None else {"p": told})


async def test_a_pod_that_does_not_listen_is_no_answer():
    async with aiohttp.ClientSession() as session:
        assert await progress_of(session, [target(1)]) == {}
