"""What is asked: a server, a protocol, a model; and whether it answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from phalanx_contract.runtime import HEADER_MODEL
from phalanx_load.errors import LoadError
from phalanx_load.protocols import PROTOCOLS, shown, words_of
from phalanx_load.samples import Sample
from phalanx_load.wire.client import Client, Failure
from phalanx_load.wire.parser import Response

_PORTS: Final = {"http": 80, "https": 443}
_LATIN_1: Final = 0xFF
PROBE_S: Final = 10.0
"""A server that takes longer for a single text before the run even begins is not measured: it is stuck."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where requests go and in which dialect.

    `protocol` is a name of `PROTOCOLS`; `model` may be empty where the server has only one (`infer` needs it).
    """

    url: str
    protocol: str = "predict"
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if "@" in parts.netloc:
            raise LoadError(
                "the address has a name or a password in it, which every report would hold: leave them away, and give "
                "--header 'Authorization: ...' instead"
            )
        if parts.query or parts.fragment:
            raise LoadError(f"{self.url}: only the part before ? and # is sent; leave the rest away")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise LoadError(f"{self.url}: not the address of a server; write such as http://127.0.0.1:8080")
        if self.protocol not in PROTOCOLS:
            raise LoadError(f"no protocol {self.protocol!r}; there is {', '.join(PROTOCOLS)}")
        if "{model}" in PROTOCOLS[self.protocol].path and not self.model:
            raise LoadError(f"the protocol {self.protocol} names the model in its path: give one with --model")
        _check_fields({"host": parts.netloc, "model": self.model, **self.headers})

    @property
    def secure(self) -> bool:
        """Whether to speak TLS."""
        return _split(self.url).scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = _split(self.url)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]

    @property
    def path(self) -> str:
        """Where requests go on a server, behind the path of its address."""
        return PROTOCOLS[self.protocol].path.format(model=quote(self.model, safe=":"))

    def request(self, sample: Sample) -> bytes:
        """The whole request for one text, as bytes for the wire."""
        protocol, parts = PROTOCOLS[self.protocol], _split(self.url)
        body = protocol.body(sample.text)
        path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~") + self.path
        fields = {
            "Host": parts.netloc,
            "User-Agent": "phalanx-load",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **({HEADER_MODEL: self.model} if self.model and "{model}" not in protocol.path else {}),
            **self.headers,
        }
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _check_fields(fields: Mapping[str, str]) -> None:
    """Refuse what cannot stand in a request's head.

    Raises:
        LoadError: a name or value with a line break, or with letters beyond Latin-1; it is named.
    """
    for name, value in fields.items():
        line = f"{name}: {value}"
        if not line.isprintable() or any(ord(letter) > _LATIN_1 for letter in line):
            raise LoadError(f"{line!r} cannot be sent as a header: use printable Latin-1 letters")


def _split(url: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        LoadError: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise LoadError(f"{url.rpartition('@')[2]}: {error}") from error
    return parts


async def probe(target: Target, sample: Sample, *, timeout_s: float = PROBE_S) -> Response:
    """One request, to see before a run that the server is there and serves the model.

    Raises:
        LoadError: it is not, or does not; with the server's own words where it has some.
    """
    answer: asyncio.Future[Response | Failure] = asyncio.get_running_loop().create_future()

    def done(_: int, outcome: Response | Failure) -> None:
        if not answer.done():
            answer.set_result(outcome)

    client = Client(target.address, secure=target.secure, connections=1, done=done)
    client.send(0, target.request(sample))
    try:
        outcome = await asyncio.wait_for(answer, timeout_s)
    except TimeoutError:
        raise LoadError(f"{target.url}: no answer within {timeout_s:g} s; is the server healthy?") from None
    finally:
        client.close()
    if isinstance(outcome, Failure):
        raise LoadError(f"{target.url}: {outcome.why}; is the server running there?")
    _check_answer(target, outcome)
    return outcome


def _check_answer(target: Target, answer: Response) -> None:
    """Refuse what is no answer of the target's protocol.

    Raises:
        LoadError: it is none; the text says what to do about it.
    """
    location = answer.headers.get("location")
    if 300 <= answer.status < 400 and location:
        found = urljoin(target.url.rstrip("/") + target.path, location).removesuffix(target.path)
        raise LoadError(f"{target.url}: it redirects to {shown(found)}; give that address")
    if answer.status != 200:
        raise LoadError(f"{target.url} refuses a single text with status {answer.status}: {words_of(answer.body)}")
    if not PROTOCOLS[target.protocol].valid(answer.body):
        raise LoadError(
            f"{target.url} answers 200, but not as {target.path} does: {words_of(answer.body)}; is that the address of "
            "the server, and the --protocol the one that it speaks?"
        )
