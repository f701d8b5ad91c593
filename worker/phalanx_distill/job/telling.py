"""What a Job's pod says: where it stands over HTTP, and how it ended in its termination message."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from phalanx_contract.distillation import PROGRESS_PATH, Ending, Progress, encode_ending
from phalanx_distill.progress import Advance, Reporter


class Telling:
    """A reporter that passes everything on and knows where the run stands. Any thread may read `now`."""

    def __init__(self, inner: Reporter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._clock = clock
        self.now = Progress(stage="starting", share=0.0)

    def stage(self, title: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """See `Reporter`."""
        return self._stage(title, total, done)

    def say(self, line: str) -> None:
        """See `Reporter`."""
        self._inner.say(line)

    @contextmanager
    def _stage(self, title: str, total: int, done: int) -> Iterator[Advance]:
        started, before = self._clock(), done
        self.now = progress(title, total, done, passed_s=0.0, meanwhile=0)
        with self._inner.stage(title, total, done=done) as told:

            def advance(steps: int = 1, note: str = "") -> None:
                nonlocal done
                done += steps
                told(steps, note=note)
                self.now = progress(title, total, done, passed_s=self._clock() - started, meanwhile=done - before)

            yield advance


def progress(title: str, total: int, done: int, *, passed_s: float, meanwhile: int) -> Progress:
    """A stage of which `done` of `total` steps are done, `meanwhile` of them within `passed_s` seconds. Pure."""
    left = max(total - done, 0)
    share = 1.0 - left / total if total > 0 else 1.0
    return Progress(stage=title, share=share, left_s=passed_s / meanwhile * left if meanwhile > 0 else None)


@contextmanager
def answering(telling: Telling, *, host: str, port: int) -> Iterator[int]:
    """Answer GET PROGRESS_PATH from a thread of its own; yields the port. Raises OSError if it is taken."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == PROGRESS_PATH
            body = msgspec.json.encode(telling.now) if known else b""
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the operator asks every few seconds."""

    server = http.server.ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="progress")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def end(path: Path | None, ending: Ending) -> None:
    """Write the termination message; without a path, or without such a file, the log has to do."""
    if path is not None and path.parent.is_dir():
        path.write_bytes(encode_ending(ending))
