"""The operator's own port."""

from __future__ import annotations

import aiohttp

from phalanx_operator.handlers.health import serve_health


async def test_probes_answer_what_is_wrong_and_metrics_are_exposed():
    problems = {"alive": "", "ready": "the resources are being read"}
    runner = await serve_health(
        host="127.0.0.1", port=0, alive=lambda: problems["alive"], ready=lambda: problems["ready"]
    )
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def get(path: str) -> tuple[int, str]:
        async with session.get(url + path) as response:
            return response.status, await response.text()

    async with aiohttp.ClientSession() as session:
        assert await get("/healthz") == (200, "ok")
        assert await get("/readyz") == (503, "the resources are being read")
        problems.update(alive="no round for long: default/gpus", ready="")
        assert await get("/healthz") == (503, "no round for long: default/gpus")
        assert await get("/readyz") == (200, "ok")
        status, text = await get("/metrics")
        assert status == 200
        assert "phalanx_operator_rounds_total" in text
    await runner.cleanup()
