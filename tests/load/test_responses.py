"""The parser takes HTTP/1.1 in pieces of any size."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_load.wire.parser import BrokenResponseError, Parser, Response

COUNTED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Phalanx-Students: 3\r\nContent-Length: 5\r\n\r\nhello"
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;note=x\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED
BODILESS = b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


def fed(parser: Parser, parts: list[bytes]) -> list[Response]:
    return [response for part in parts if (response := parser.feed(part)) is not None]


@pytest.mark.parametrize("data", [COUNTED, CHUNKED, INTERIM], ids=["counted", "chunked", "interim first"])
@given(cuts=st.lists(st.integers(0, 300), max_size=8))
def test_a_response_is_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    (response,) = fed(Parser(), pieces(data, cuts))
    assert (response.status, response.body, response.keep_alive) == (200, b"hello", True)


@given(cuts=st.lists(st.integers(0, 300), max_size=8))
def test_a_parser_reads_one_response_after_the_other(cuts: list[int]) -> None:
    parser = Parser()
    for data in (COUNTED, CHUNKED, BODILESS, COUNTED):
        assert parser.empty
        assert len(fed(parser, pieces(data, cuts))) == 1


def test_header_names_are_found_in_lower_case() -> None:
    (response,) = fed(Parser(), [COUNTED])
    assert response.headers["x-phalanx-students"] == "3"


def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    parser = Parser()
    assert parser.feed(b"HTTP/1.0 200 OK\r\n\r\nhel") is None
    assert parser.feed(b"lo") is None
    response = parser.close()
    assert response is not None
    assert (response.body, response.keep_alive) == (b"hello", False)


def test_a_response_that_breaks_off_is_none() -> None:
    parser = Parser()
    parser.feed(COUNTED[:-1])
    assert parser.close() is None


def test_a_server_may_ask_to_close() -> None:
    (response,) = fed(Parser(), [COUNTED.replace(b"X-Phalanx-Students: 3", b"Connection: Close")])
    assert not response.keep_alive


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "keep-alive, Close", False),
        ("1.0", "", False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_a_connection_is_kept_as_its_version_and_its_options_say(version: str, connection: str, kept: bool) -> None:
    head = f"HTTP/{version} 200 OK\r\nConnection: {connection}\r\nContent-Length: 2\r\n\r\n".encode()
    (response,) = fed(Parser(), [head + b"[]"])
    assert response.keep_alive is kept


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
    ids=["another protocol", "no status", "bad length", "bad chunk", "negative chunk", "endless headers"],
)
def test_what_is_not_http_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenResponseError):
        Parser().feed(data)
