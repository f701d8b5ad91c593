"""Kopf handlers: they keep the store and mark pools. No work is done in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

import kopf

from phalanx_contract.runtime import GROUP, VERSION
from phalanx_operator.api.types import Manifest
from phalanx_operator.build.labels import pool_of
from phalanx_operator.handlers.cluster import Made
from phalanx_operator.handlers.pulse import Pulse
from phalanx_operator.handlers.settings import configure, login
from phalanx_operator.observe.store import Ref, Store, echoes, outdated, ref_of
from phalanx_operator.reconcile.feed import Feed, Mark

PLURALS: Final = ("servingpools", "studentensembles", "tenantadapters")


class Watch:
    """What Kopf's streams are turned into: the stores of the three kinds and of what is made for pools, and marks.

    An echo of what the store has already is stored, for its version, and marks nothing: statuses are written by rounds,
    and a round that found nothing new to say must not be the cause of the next one.

    Kopf's own indexes are not used: until they are full, each object that is read wakes all that were read before it,
    which with ten thousand of them takes minutes. Nothing needs them. A term reads everything before its first round
    (`resync.catch_up`), so that no plan is composed without some of what is in it.

    The handlers are coroutines though they await nothing: Kopf runs plain functions in threads, where neither the
    store nor the rounds may be touched.
    """

    def __init__(
        self,
        store: Store,
        made: Store,
        mark: Mark,
        *,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.feed = Feed(store, mark)
        self._made = made
        self._pulse = pulse or Pulse()
        self._clock = clock
        self._store = store
        self._mark = mark

    async def event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """One of the three kinds was seen at start (None), added, modified or deleted."""
        obj = _plain(body)
        ref = ref_of(obj)
        known = self._store.get(ref)
        self._pulse.heard(ref.kind, listed=type is None, now=self._clock())
        if outdated(obj, known):
            return
        if type == "DELETED":
            self.feed.remove(ref)
            return
        echo = echoes(obj, known)
        self.feed.put(obj)
        if not echo:
            self.feed.mark(obj)

    async def made_event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """Something that was made for a pool, or a pod of it, was seen, changed or deleted."""
        obj = _plain(body)
        ref = ref_of(obj)
        known = self._made.get(ref)
        self._pulse.heard(ref.kind, listed=type is None, now=self._clock())
        if outdated(obj, known):
            return
        if type == "DELETED":
            self._made.remove(ref)
        else:
            echo = echoes(obj, known)
            self._made.put(obj)
            if echo:
                return
        key = pool_of(obj)
        if key is not None and self._store.get(Ref("ServingPool", key)) is not None:
            self._mark(key)


def register(registry: kopf.OperatorRegistry, watch: Watch, *, namespaced: bool, made: Sequence[Made]) -> None:
    """Tell Kopf what to watch: the whole cluster, or as `namespaced`, what `kopf.operator` is told."""

    async def startup(*, settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, namespaced=namespaced, made=made)

    kopf.on.startup(registry=registry)(startup)
    kopf.on.login(registry=registry)(login)
    for plural in PLURALS:
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"event-{plural}")(watch.event)
    for kind in made:
        where = (kind.group, kind.version, kind.plural)
        kopf.on.event(*where, registry=registry, id=f"event-{kind.plural}")(watch.made_event)


def _plain(body: kopf.Body) -> Manifest:
    """The object as JSON data."""
    return dict(body)
