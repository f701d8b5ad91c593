"""The Kubernetes API as JSON in, JSON out, over the asyncio client of the `kubernetes` package.

ApiError                 the server refused, or could not be reached; `status` is the HTTP status, 0 without one
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from phalanx_operator import tally
from phalanx_operator.api.types import Manifest
from phalanx_operator.apply.answers import NO_ANSWER, Course, course, pause_s, retry_after_s
from phalanx_operator.apply.paths import resource_of, verb_of
from phalanx_operator.errors import ClusterError

TIMEOUT_S: Final = 15.0
"""For one request. Server-side apply of a large ConfigMap takes well below a second."""

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"


class ApiError(ClusterError):
    """A request that failed; the text is one line with the server's own message."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after_s: float | None = None) -> None:
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(message)

    @property
    def gone(self) -> bool:
        """The object, or its kind, does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Somebody else wrote at the same time; the next round reads and tries again."""
        return self.status == 409

    @property
    def refused(self) -> bool:
        """The server will not have it, however often it is asked."""
        return course(self.status) is Course.REPORT


class Fence(Protocol):
    """Lets writes through, or does not (`lead.fence`)."""

    def admit(self) -> AbstractContextManager[float]:
        """Gives the seconds that the write may take. Raises FencedError."""


class KubeApi:
    """One API server. The client carries address and credentials.

    Every write passes `fence`, whoever asks for it: a replica that does not lead cannot write. Requests that fail for
    the moment are sent again (`answers.course`) unless `patient` is False.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        fence: Fence | None = None,
        timeout_s: float = TIMEOUT_S,
        patient: bool = True,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._fence = fence
        self._timeout_s = timeout_s
        self._patient = patient
        self._dice = dice

    def __repr__(self) -> str:
        return f"<KubeApi {self.host}>"

    @property
    def host(self) -> str:
        """Its base URL."""
        return str(self._client.configuration.host)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def get(self, path: str, **query: str) -> Manifest:
        """GET one object or a list. Raises ApiError."""
        return await self._call("GET", path, query=query)

    async def create(self, path: str, body: Manifest) -> Manifest:
        """POST to a collection. Raises ApiError, FencedError."""
        return await self._call("POST", path, body=body)

    async def replace(self, path: str, body: Manifest) -> Manifest:
        """PUT a whole object, of the resourceVersion that it names. Raises ApiError, FencedError."""
        return await self._call("PUT", path, body=body)

    async def patch(self, path: str, body: Manifest, *, kind: str, **query: str) -> Manifest:
        """PATCH with the content type `kind`. Raises ApiError, FencedError."""
        return await self._call("PATCH", path, body=body, content_type=kind, query=query)

    async def delete(self, path: str, body: Manifest) -> Manifest:
        """DELETE with options. Raises ApiError, FencedError."""
        return await self._call("DELETE", path, body=body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Manifest | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Send it, and send it again while that may help."""
        url_path = f"{path}?{urlencode(query)}" if query else path
        headers = {"Accept": "application/json", "Content-Type": content_type}
        failures = 0
        while True:
            try:
                return await self._admitted(method, url_path, headers, body)
            except ApiError as error:
                failures += 1
                again = self._patient and course(error.status) is Course.TRY_AGAIN
                wait_s = pause_s(failures, asked_s=error.retry_after_s, dice=self._dice()) if again else None
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)

    async def _admitted(self, method: str, path: str, headers: dict[str, str], body: Manifest | None) -> Manifest:
        """One try, through the fence if it writes, counted by its outcome."""
        reads = method == "GET" or self._fence is None
        passage = nullcontext(self._timeout_s) if reads else self._fence.admit()  # type: ignore[union-attr]
        with passage as limit_s, tally.api_request(verb_of(method, path), resource_of(path)) as told:
            try:
                async with asyncio.timeout(min(limit_s, self._timeout_s)):
                    status, answer, data = await self._send(method, path, headers, body)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                text = f"{method} {path.partition('?')[0]}: {str(error) or type(error).__name__}"
                raise ApiError(NO_ANSWER, "Unreachable", text) from error
            told.code = str(status)
        if not 200 <= status < 300:
            raise _failure(status, answer, data, f"{method} {path.partition('?')[0]}")
        decoded: Manifest = json.loads(data)
        return decoded

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: Manifest | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer."""
        request = await self._client.param_serialize(
            method, path, header_params=headers, body=body, query_params=[], auth_settings=["BearerToken"]
        )
        try:
            response = await self._client.call_api(*request, _request_timeout=self._timeout_s)
            return response.status, response.headers, await response.read()
        except ApiException as error:
            return error.status or NO_ANSWER, error.headers or {}, _bytes(error.body)


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


def _failure(status: int, headers: Mapping[str, str], body: bytes, request: str) -> ApiError:
    """The server's `Status` object as an error."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    message = said.get("message") or f"HTTP {status}"
    return ApiError(status, said.get("reason") or "", f"{request}: {message}", retry_after_s=retry_after_s(headers))
