"""A small client of the Kubernetes API: plain JSON objects, by path. Independent of the operator's own client."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from tests.e2e.access import read_kubeconfig

Object = dict[str, Any]

_PLURALS: Final = {
    "ServingPool": "servingpools",
    "StudentEnsemble": "studentensembles",
    "TenantAdapter": "tenantadapters",
}
_PHALANX: Final = "/apis/phalanx.dev/v1alpha1"


class ApiError(Exception):
    """The API server refused; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class UnreachableError(ApiError):
    """There was no answer at all, as while the API server is down. Counts as a 503, which a balancer would say."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(503, f"the API server does not answer: {problem!r}")


def path_of(kind: str, name: str = "", *, namespace: str) -> str:
    """The path of one of Phalanx's own resources; without a name, of their list."""
    base = f"{_PHALANX}/namespaces/{namespace}/{_PLURALS[kind]}"
    return f"{base}/{name}" if name else base


class Kube:
    """Bound to one kubeconfig with a CA and either a token or a client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        access = read_kubeconfig(kubeconfig)
        self.server, self.ca = access.server, access.ca
        self._tls = ssl.create_default_context(cadata=access.ca.decode())
        if access.certificate:
            access.load_certificate(self._tls)
        self._headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, connector=aiohttp.TCPConnector(ssl=self._tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Object:
        return await self._call("GET", path)

    async def find(self, path: str) -> Object | None:
        """The object, or None if there is none."""
        try:
            return await self._call("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def items(self, path: str) -> list[Object]:
        items: list[Object] = (await self._call("GET", path))["items"]
        return items

    async def create(self, path: str, body: Object) -> Object:
        return await self._call("POST", path, body)

    async def merge(self, path: str, body: Object) -> Object:
        """Apply a JSON merge patch."""
        return await self._call("PATCH", path, body, content_type="application/merge-patch+json")

    async def strategic_merge(self, path: str, body: Object) -> Object:
        """Apply a strategic merge patch: lists of built-in kinds are merged by their keys."""
        return await self._call("PATCH", path, body, content_type="application/strategic-merge-patch+json")

    async def apply(self, path: str, body: Object, *, manager: str = "e2e") -> Object:
        """Server-side apply."""
        return await self._call(
            "PATCH", f"{path}?fieldManager={manager}&force=true", body, content_type="application/apply-patch+yaml"
        )

    async def delete(self, path: str, *, grace_s: int | None = None) -> None:
        """Delete in the background; an object that is gone already is fine."""
        options: Object = {"propagationPolicy": "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            await self._call("DELETE", path, options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    async def watch(self, path: str, *, resource_version: str, timeout_s: int = 60) -> AsyncIterator[Object]:
        """Events after a list; ends when the server closes the stream, and raises when it breaks."""
        assert self._session is not None
        separator = "&" if "?" in path else "?"
        query = f"{separator}watch=1&resourceVersion={resource_version}&timeoutSeconds={timeout_s}"
        timeout = aiohttp.ClientTimeout(total=None, sock_read=timeout_s + 10)
        try:
            async with self._session.get(f"{self.server}{path}{query}", timeout=timeout) as response:
                if response.status >= 400:
                    raise ApiError(response.status, await response.text())
                buffer = b""
                async for chunk in response.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise UnreachableError(problem) from problem

    async def _call(
        self, method: str, path: str, body: Object | None = None, *, content_type: str = "application/json"
    ) -> Object:
        assert self._session is not None
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if data is not None else {}
        try:
            async with self._session.request(method, f"{self.server}{path}", data=data, headers=headers) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise UnreachableError(problem) from problem
        if response.status >= 400:
            raise ApiError(response.status, _message(text))
        answer: Object = json.loads(text)
        return answer


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text))
    except ValueError:
        return text
