"""How Kopf behaves here."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from typing import Any, Final

import kopf

from phalanx_operator.handlers.cluster import PAGE, SELECTOR, Made

WATCH_SERVER_TIMEOUT_S: Final = 240
"""The server ends a watch after that time, so that no watch lives on a dead connection for long.

An integer: it goes into the URL as it is, and API servers refuse `240.0`."""
WATCH_CLIENT_TIMEOUT_S: Final = 300.0
"""For servers that do not."""
REQUEST_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0


class Patience:
    """Kopf's waits between tries of one request: growing, spread, and without an end.

    With an end, Kopf gives up on an API server that is down for minutes, and takes the process with it.
    """

    first_s: Final = 0.5
    max_s: Final = 5.0

    def __iter__(self) -> Iterator[float]:
        wait_s = self.first_s
        while True:
            yield wait_s * (1 + random.random() / 2)  # noqa: S311 - spread, no secret
            wait_s = min(2 * wait_s, self.max_s)


def configure(settings: kopf.OperatorSettings, *, namespaced: bool, made: Iterable[Made]) -> None:
    """Set what differs from Kopf's defaults.

    An operator for some namespaces has rights in those alone: Kopf must not look at namespaces and definitions, which
    it would be refused, and would try again for minutes.

    No handler here makes Kopf write anything to an object (only raw events are used), so there is no
    finalizer, no annotation, and nothing that could keep a resource from being deleted while the operator is down.
    """
    settings.scanning.disabled = namespaced
    settings.watching.server_timeout = WATCH_SERVER_TIMEOUT_S
    settings.watching.client_timeout = WATCH_CLIENT_TIMEOUT_S
    settings.watching.connect_timeout = CONNECT_TIMEOUT_S
    settings.watching.chunk_size = PAGE
    settings.networking.request_timeout = REQUEST_TIMEOUT_S
    settings.networking.connect_timeout = CONNECT_TIMEOUT_S
    settings.networking.error_backoffs = Patience()
    # Events are written by rounds, about decisions; Kopf's own would tell of handlers, which say nothing to users.
    settings.posting.enabled = False
    for kind in made:
        settings.watching.label_selectors[kind.plural] = SELECTOR


def login(*, logger: Any, settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
    """Credentials for Kopf, found in the same order as `apply.connect` does: KUBECONFIG goes before the pod's own."""
    if os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return kopf.login_with_kubeconfig(logger=logger, settings=settings)
    return kopf.login_via_client(logger=logger, settings=settings)
