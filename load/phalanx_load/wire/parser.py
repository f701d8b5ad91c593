"""HTTP/1.1 responses from bytes (RFC 9112), without any IO. One response at a time: requests are not pipelined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
_LINE: Final = b"\r\n"
MAX_HEAD_BYTES: Final = 64 * 1024


class BrokenResponseError(ValueError):
    """What came is not HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; header names are in lower case, `keep_alive` allows another request on its connection."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool = True


class Parser:
    """Feed it what arrives; it gives the response once that is whole, and is ready for the next one then."""

    def __init__(self) -> None:
        self._data = b""
        self._head: tuple[int, dict[str, str]] | None = None
        self._closing = False
        """Whether the version of HTTP closes connections unless it says otherwise."""

    @property
    def empty(self) -> bool:
        """Whether nothing of a response has come yet."""
        return not self._data and self._head is None

    def feed(self, data: bytes) -> Response | None:
        """Take bytes.

        Raises:
            BrokenResponseError: they are not HTTP.
        """
        self._data += data
        while self._head is None:
            if not self._read_head():
                return None
        status, headers = self._head
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = self._chunks()
        elif status in (204, 304):
            body = b""
        elif "content-length" in headers:
            body = self._counted(headers["content-length"])
        else:
            return None
        return None if body is None else self._whole(body, keep_alive=self._keep_alive(headers))

    def close(self) -> Response | None:
        """The server has closed the connection: the end of a response without a length, or of an incomplete one."""
        if self._head is None or self._head[1].keys() & {"content-length", "transfer-encoding"}:
            return None
        return self._whole(self._data, keep_alive=False)

    def _read_head(self) -> bool:
        """Take a head off the front; False if it has not come whole. Interim responses (1xx) are skipped."""
        end = self._data.find(_END)
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise BrokenResponseError(f"more than {MAX_HEAD_BYTES} bytes of headers")
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        self._closing = version == "HTTP/1.0"
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise BrokenResponseError(f"it does not speak HTTP/1.1: {first[:40]!r}")
        self._data = self._data[end + len(_END) :]
        status = int(rest[:3])
        if status >= 200:
            parted = (line.partition(":") for line in lines)
            self._head = status, {name.strip().lower(): value.strip() for name, _, value in parted}
        return self._head is not None or self._read_head()

    def _keep_alive(self, headers: Mapping[str, str]) -> bool:
        """Whether the connection takes another request (RFC 9112, section 9.3)."""
        options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
        return "close" not in options and (not self._closing or "keep-alive" in options)

    def _counted(self, length: str) -> bytes | None:
        if not length.isdecimal():
            raise BrokenResponseError(f"Content-Length: {length[:40]!r}")
        size = int(length)
        if len(self._data) < size:
            return None
        body, self._data = self._data[:size], self._data[size:]
        return body

    def _chunks(self) -> bytes | None:
        """The chunks' content once the last one is there. Read anew with each feed: answers are short."""
        parts: list[bytes] = []
        at = 0
        while (end := self._data.find(_LINE, at)) >= 0:
            size = _chunk_size(self._data[at:end])
            at = end + len(_LINE)
            if size == 0:
                return self._trailers(at, b"".join(parts))
            parts.append(self._data[at : at + size])
            at += size + len(_LINE)
        return None

    def _trailers(self, at: int, body: bytes) -> bytes | None:
        """Skip trailing headers up to the empty line that ends the response."""
        while (end := self._data.find(_LINE, at)) >= 0:
            if end == at:
                self._data = self._data[end + len(_LINE) :]
                return body
            at = end + len(_LINE)
        return None

    def _whole(self, body: bytes, *, keep_alive: bool) -> Response:
        assert self._head is not None
        (status, headers), self._head = self._head, None
        if not keep_alive:
            self._data = b""
        return Response(status, headers, body, keep_alive)


def _chunk_size(line: bytes) -> int:
    """The hexadecimal size before any extension."""
    digits = line.partition(b";")[0].strip()
    if not digits or set(digits.lower()) - set(b"0123456789abcdef"):
        raise BrokenResponseError(f"a chunk's size is {line[:40]!r}")
    return int(digits, 16)
