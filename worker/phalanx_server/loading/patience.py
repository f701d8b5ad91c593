"""Waiting for stores that may never answer: a mount that hangs cannot be interrupted, and few drivers have timeouts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from phalanx_contract.worker import LoadReason
from phalanx_server.loading.failure import LoadFailure

Result = TypeVar("Result")

_MOST_HANGING: Final = 4
"""Calls of one store that may hang. Each keeps a thread until it ends, if it ever does; beyond them the store is not
asked again."""


class Patience:
    """Makes calls on threads of their own, and gives up those that take too long. Safe to use from several threads."""

    def __init__(self, stall_s: float) -> None:
        """`stall_s` is the longest that one call may take."""
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._hanging: dict[Future[Any], str] = {}

    def call(self, uri: str, call: Callable[[], Result]) -> Result:
        """What the call to the store of `uri` returns or raises.

        Raises:
            LoadFailure: it has not ended in time and is left to itself, or too many before it were.
        """
        self._check(uri)
        outcome: Future[Result] = Future()
        threading.Thread(target=self._make, args=(call, outcome), name="store", daemon=True).start()
        try:
            return outcome.result(self._stall_s)
        except TimeoutError:
            with self._lock:
                if outcome.done():  # the driver's own timeout, or at the last moment
                    return outcome.result()
                self._hanging[outcome] = store_of(uri)
            raise LoadFailure(LoadReason.FETCH_FAILED, f"{uri}: nothing has come for {self._stall_s:g} s") from None

    def _check(self, uri: str) -> None:
        store = store_of(uri)
        with self._lock:
            hanging = list(self._hanging.values()).count(store)
            if hanging >= _MOST_HANGING:
                message = f"{uri}: {hanging} earlier reads of {store} hang still; mend the store, or restart the worker"
                raise LoadFailure(LoadReason.FETCH_FAILED, message)

    def _make(self, call: Callable[[], Result], outcome: Future[Result]) -> None:
        try:
            result = call()
        except BaseException as error:
            self._settle(outcome, partial(outcome.set_exception, error))
        else:
            self._settle(outcome, partial(outcome.set_result, result))

    def _settle(self, outcome: Future[Result], settle: Callable[[], None]) -> None:
        with self._lock:
            self._hanging.pop(outcome, None)
            settle()


def store_of(uri: str) -> str:
    """What answers for a URI: a server, a bucket, a claim, or the local disk."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
