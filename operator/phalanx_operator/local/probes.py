"""The kubelet's HTTP probes: what they are, how results add up (pure), and one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import aiohttp

from phalanx_operator.api.types import Manifest
from phalanx_operator.local.launch import LaunchError


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """An HTTP GET that has to answer 200 to 399 within `timeout_s`, with the kubelet's defaults."""

    path: str = "/"
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    initial_delay_s: float = 0.0
    period_s: float = 10.0
    timeout_s: float = 1.0
    failure_threshold: int = 3
    success_threshold: int = 1

    @classmethod
    def of(cls, spec: Manifest, ports: Mapping[str | int, int]) -> Probe:
        """Read a container's probe; `ports` maps port names and container ports to the ports on this host.

        Raises:
            LaunchError: it is not an HTTP probe.
        """
        if "httpGet" not in spec:
            raise LaunchError("the process runner knows httpGet probes only")
        get = spec["httpGet"]
        return cls(
            path=get.get("path", "/"),
            port=ports.get(get["port"], get["port"]),
            headers={header["name"]: header["value"] for header in get.get("httpHeaders", [])},
            initial_delay_s=spec.get("initialDelaySeconds", 0),
            period_s=spec.get("periodSeconds", 10),
            timeout_s=spec.get("timeoutSeconds", 1),
            failure_threshold=spec.get("failureThreshold", 3),
            success_threshold=spec.get("successThreshold", 1),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The verdict so far: True or False once a threshold was reached, and kept until the other one is."""

    passed: bool | None = None
    successes: int = 0
    failures: int = 0

    def count(self, ok: bool, probe: Probe) -> Tally:
        """The tally after one more result."""
        if ok:
            tally = replace(self, successes=self.successes + 1, failures=0)
            return replace(tally, passed=True) if tally.successes >= probe.success_threshold else tally
        tally = replace(self, successes=0, failures=self.failures + 1)
        return replace(tally, passed=False) if tally.failures >= probe.failure_threshold else tally


async def ask(session: aiohttp.ClientSession, probe: Probe, *, host: str) -> str:
    """Probe once. Returns an empty text for success, else what was wrong."""
    url = f"http://{host}:{probe.port}{probe.path}"
    timeout = aiohttp.ClientTimeout(total=probe.timeout_s)
    try:
        async with session.get(url, headers=probe.headers, timeout=timeout, allow_redirects=False) as response:
            return "" if 200 <= response.status < 400 else f"{probe.path} answered {response.status}"
    except TimeoutError:
        return f"{probe.path} did not answer within {probe.timeout_s:g} s"
    except aiohttp.ClientError as error:
        return f"{probe.path}: {error}"
