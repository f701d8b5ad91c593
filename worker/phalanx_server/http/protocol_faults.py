"""What is logged of clients that do not speak HTTP properly."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError


class ProtocolFaults(logging.Filter):
    """aiohttp logs a traceback for bytes that are not HTTP, or not in their content encoding.

    The client has its 400, and whoever watches the log needs no more than a line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten such a record; every other stays as it is."""
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, (HttpProcessingError, web.RequestPayloadError)):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.msg, record.args = "a client does not speak HTTP: %s", (" ".join(str(fault).split())[:256],)
            record.exc_info = record.exc_text = None
        return True


log = logging.getLogger("phalanx_server.http")
log.addFilter(ProtocolFaults())
"""For aiohttp's connections."""
