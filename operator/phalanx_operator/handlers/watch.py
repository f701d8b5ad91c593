"""Kopf handlers: they keep the store and mark pools. No work is done in them."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import kopf

from phalanx_contract.runtime import GROUP, VERSION
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import LABEL_POOL
from phalanx_operator.handlers.pulse import Pulse
from phalanx_operator.handlers.settings import configure, login
from phalanx_operator.observe.store import Ref, Store, ref_of
from phalanx_operator.reconcile.feed import Feed, Mark

PLURALS: Final = ("servingpools", "studentensembles", "tenantadapters")


class Watch:
    """What Kopf's streams are turned into: the store of the three kinds, and marks on pools.

    The handlers are coroutines though they await nothing: Kopf runs plain functions in threads, where neither the
    store nor the rounds may be touched.
    """

    def __init__(
        self, store: Store, mark: Mark, *, pulse: Pulse | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self.feed = Feed(store, mark)
        self._pulse = pulse or Pulse()
        self._clock = clock
        self._store = store
        self._mark = mark

    async def index(self, *, body: kopf.Body, **_: Any) -> None:
        """Store an object. Kopf runs this for everything that exists before it runs any event handler.

        So the first round of a pool sees all ensembles, and never composes a plan without some of them.
        """
        self.feed.put(_plain(body))

    async def event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """One of the three kinds was seen at start (None), added, modified or deleted."""
        obj = _plain(body)
        self._pulse.heard(obj["kind"], listed=type is None, now=self._clock())
        if type == "DELETED":
            self.feed.remove(ref_of(obj))
        else:
            self.feed.mark(obj)

    async def child_event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """A Deployment or Pod of ours changed."""
        self._pulse.heard(str(body.get("kind")), listed=type is None, now=self._clock())
        pool = body.metadata.labels.get(LABEL_POOL)
        key = Key(body.metadata.namespace or "", pool or "")
        if pool and self._store.get(Ref("ServingPool", key)) is not None:
            self._mark(key)


def register(registry: kopf.OperatorRegistry, watch: Watch, *, namespaced: bool) -> None:
    """Tell Kopf what to watch: the whole cluster, or as `namespaced`, what `kopf.operator` is told."""

    async def startup(*, settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, namespaced=namespaced)

    kopf.on.startup(registry=registry)(startup)
    kopf.on.login(registry=registry)(login)
    for plural in PLURALS:
        kopf.index(GROUP, VERSION, plural, registry=registry, id=f"index-{plural}")(watch.index)
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"event-{plural}")(watch.event)
    for group, plural in (("", "pods"), ("apps", "deployments")):
        kopf.on.event(group, "v1", plural, registry=registry, id=f"event-{plural}")(watch.child_event)


def _plain(body: kopf.Body) -> Manifest:
    """The object as JSON data."""
    return dict(body)
