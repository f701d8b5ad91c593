"""A client of the worker: the Open Inference Protocol over aiohttp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from phalanx_contract.runtime import HEADER_PLAN, HEADER_STUDENTS, HEADER_VERSION
from phalanx_contract.worker import STATUS_PATH, WorkerStatus, parse_status
from tests.e2e.artifacts import TEXTS, Answers
from tests.e2e.waiting import NotYet


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One answer with what the headers say of it; `error` where the status is not 200."""

    status: int
    answers: Answers
    students: str = ""
    plan: str = ""
    version: str = ""
    error: str = ""


class Worker:
    """One worker at `http://host:port`. Nobody listening is `NotYet`: it may be about to come back."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def infer(self, model: str, texts: Sequence[str] = TEXTS, *, key: str = "") -> Response:
        """Ask for labels and probabilities of texts, with a tenant's API key where it has one."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
                session.post(
                    f"{self.url}/v2/models/{model}/infer", json={"inputs": [tensor]}, headers=headers
                ) as response,
            ):
                return _read(response.status, dict(response.headers), await response.json())
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise NotYet(f"{self.url}: {problem!r}") from problem

    async def status(self) -> WorkerStatus:
        """The worker's own report."""
        return parse_status((await self.text(STATUS_PATH)).encode())

    async def text(self, path: str) -> str:
        """The body of a GET."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as response:
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise NotYet(f"{self.url}: {problem!r}") from problem


def _read(status: int, headers: dict[str, str], body: dict[str, Any]) -> Response:
    if status != 200:
        return Response(status=status, answers=Answers([], []), error=str(body.get("error", body)))
    outputs = {output["name"]: output for output in body["outputs"]}
    flat, classes = outputs["scores"]["data"], outputs["scores"]["shape"][1]
    rows = [flat[start : start + classes] for start in range(0, len(flat), classes)]
    return Response(
        status=status,
        answers=Answers(outputs["label"]["data"], rows),
        students=headers.get(HEADER_STUDENTS, ""),
        plan=headers.get(HEADER_PLAN, ""),
        version=headers.get(HEADER_VERSION, ""),
    )
