"""The Kubernetes API as JSON in, JSON out, over the asyncio client of the `kubernetes` package.

ApiError                 the server refused, or could not be reached; `status` is the HTTP status, 0 without one
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from phalanx_operator.api.types import Manifest
from phalanx_operator.errors import ClusterError

TIMEOUT_S: Final = 15.0
"""For one request. Server-side apply of a large ConfigMap takes well below a second."""

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"


class ApiError(ClusterError):
    """A request that failed; the text is one line with the server's own message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)

    @property
    def gone(self) -> bool:
        """The object, or its kind, does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Somebody else wrote at the same time; the next round reads and tries again."""
        return self.status == 409


class KubeApi:
    """One API server. The client carries address and credentials."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

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
        """POST to a collection. Raises ApiError."""
        return await self._call("POST", path, body=body)

    async def patch(self, path: str, body: Manifest, *, kind: str, **query: str) -> Manifest:
        """PATCH with the content type `kind`. Raises ApiError."""
        return await self._call("PATCH", path, body=body, content_type=kind, query=query)

    async def delete(self, path: str, body: Manifest) -> Manifest:
        """DELETE with options. Raises ApiError."""
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
        url_path = f"{path}?{urlencode(query)}" if query else path
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            request = await self._client.param_serialize(
                method, url_path, header_params=headers, body=body, query_params=[], auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=TIMEOUT_S)
            data = await response.read()
        except ApiException as error:
            raise _failure(error.status or 0, _bytes(error.body), method, path) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{method} {path}: {error or type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise _failure(response.status, data, method, path)
        decoded: Manifest = json.loads(data)
        return decoded


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


def _failure(status: int, body: bytes, method: str, path: str) -> ApiError:
    """The server's `Status` object as an error."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    message = said.get("message") or f"HTTP {status}"
    return ApiError(status, said.get("reason") or "", f"{method} {path}: {message}")
