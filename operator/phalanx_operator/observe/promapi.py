"""Prometheus' HTTP API: one instant query, and everything that can go wrong with it as one error.

PrometheusError          the query was not answered, or not in full; `fault` is the reason of the condition
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

import aiohttp
import msgspec

from phalanx_contract.conditions import Reason
from phalanx_operator.observe.http import TooLargeError, read_bounded

_HINT: Final = "PromQL info:"
"""Releases 2.48 to 2.52 send remarks on the query among the warnings; they say nothing about missing data."""


class PrometheusError(Exception):
    """A query without a full answer; the text is one line, without the token."""

    def __init__(self, fault: Reason, message: str) -> None:
        self.fault = fault
        super().__init__(" ".join(message.split()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where to ask, and how to be let in. `credentials` says in words where the token comes from.

    `tls` True means the certificate authorities of this machine.
    """

    url: str
    timeout_s: float = 10.0
    token: str = field(default="", repr=False)
    credentials: str = ""
    tls: ssl.SSLContext | bool = field(default=True, repr=False)
    server_name: str = ""
    org_id: str = ""

    def headers(self) -> dict[str, str]:
        """Of every request."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.org_id:
            headers["X-Scope-OrgID"] = self.org_id
        return headers

    def error(self, fault: Reason, message: str) -> PrometheusError:
        """A PrometheusError; a server that repeats the token in its answer does not get it into a status."""
        return PrometheusError(fault, message.replace(self.token, "[token]") if self.token else message)


Sample = tuple[Mapping[str, str], float]
"""Labels and value of one series of a result; NaN and infinite values are passed on as they are."""


class _Entry(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True):
    result: tuple[_Entry, ...]
    result_type: Literal["vector"] = msgspec.field(name="resultType")


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: tuple[str, ...] | None = None


_DECODER: Final = msgspec.json.Decoder(_Answer)


async def query(session: aiohttp.ClientSession, endpoint: Endpoint, text: str) -> tuple[Sample, ...]:
    """Run one instant query. Raises PrometheusError, also for an answer that lacks some of the data."""
    try:
        status, location, body = await _post(session, endpoint, text)
    except TimeoutError as error:
        raise endpoint.error(Reason.METRICS_UNREACHABLE, f"no answer within {endpoint.timeout_s:g} s") from error
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        raise endpoint.error(Reason.METRICS_UNAUTHORIZED, _untrusted(error)) from error
    except (aiohttp.ClientError, OSError, TooLargeError) as error:
        raise endpoint.error(Reason.METRICS_UNREACHABLE, str(error) or type(error).__name__) from error
    if status in (401, 403):
        raise endpoint.error(Reason.METRICS_UNAUTHORIZED, _refused(status, endpoint))
    if 300 <= status < 400:
        raise endpoint.error(Reason.METRICS_UNREACHABLE, _redirected(status, location))
    return _result(endpoint, status, body)


async def _post(session: aiohttp.ClientSession, endpoint: Endpoint, text: str) -> tuple[int, str, bytes]:
    """Status, redirect and body. POST: with hundreds of workers the matchers outgrow a URL."""
    async with session.post(
        f"{endpoint.url}/api/v1/query",
        # Thanos, asked so, fails rather than leave out a store that is down; Prometheus ignores what it does not know.
        data={"query": text, "timeout": f"{endpoint.timeout_s:g}", "partial_response": "false"},
        headers=endpoint.headers(),
        timeout=aiohttp.ClientTimeout(total=endpoint.timeout_s),
        ssl=endpoint.tls,
        server_hostname=endpoint.server_name or None,
        # Another host must not get the token.
        allow_redirects=False,
    ) as response:
        return response.status, response.headers.get("Location", ""), await read_bounded(response)


def _result(endpoint: Endpoint, status: int, body: bytes) -> tuple[Sample, ...]:
    try:
        answer = _DECODER.decode(body)
        entries = answer.data.result if answer.data is not None else ()
        samples = tuple((entry.metric, float(entry.value[1])) for entry in entries)
    except ValueError as error:  # those of msgspec, of float() and of UTF-8
        message = f"HTTP {status} and no query result: {error}"
        raise endpoint.error(Reason.METRICS_UNREACHABLE, message) from error
    if answer.status != "success" or answer.data is None:
        raise endpoint.error(Reason.METRICS_UNREACHABLE, answer.error or f"HTTP {status}")
    warnings = [warning for warning in answer.warnings or () if not warning.startswith(_HINT)]
    if warnings:
        raise endpoint.error(Reason.METRICS_INCOMPLETE, f"the answer is not complete: {warnings[0]}")
    return samples


def _refused(status: int, endpoint: Endpoint) -> str:
    if not endpoint.credentials:
        field = "spec.metrics.prometheus.authorization.credentials"
        return f"HTTP {status}: it wants a token; put one into a Secret and name it in {field}"
    if status == 401:
        return f"HTTP 401: it refuses the token in {endpoint.credentials}; put a valid one there"
    return f"HTTP 403: the token in {endpoint.credentials} may not query; give its owner the right to, or use another"


def _redirected(status: int, location: str) -> str:
    """Without the path and query of the target, which may hold anything."""
    parts = urlsplit(location)
    where = f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else "another path"
    return (
        f"HTTP {status} redirects to {where}, which is not followed; if that is a login, set "
        "spec.metrics.prometheus.authorization, else correct spec.metrics.prometheus.url"
    )


def _untrusted(error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    said = getattr(cause, "verify_message", "")
    if not said:
        return f"no TLS connection: {cause}; check the scheme and port of spec.metrics.prometheus.url"
    if isinstance(cause, ssl.CertificateError) and "mismatch" in said:
        return f"its certificate is for another host: {said}; set spec.metrics.prometheus.tlsConfig.serverName"
    return f"its certificate is not trusted: {said}; name its authority in spec.metrics.prometheus.tlsConfig.ca"
