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
from phalanx_operator.observe.store import Ref, Store, echoes, ref_of
from phalanx_operator.reconcile.feed import Feed, Mark

PLURALS: Final = ("servingpools", "studentensembles", "tenantadapters")


class Watch:
    """What Kopf's streams are turned into: the stores of the three kinds and of what is made for pools, and marks.

    An echo of what the store has already is stored, for its version, and marks nothing: statuses are written by rounds,
    and a round that found nothing new to say must not be the cause of the next one.

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
        self._echoes: set[Ref] = set()
        """Objects whose event is still to come after their index, and tells nothing."""

    async def index(self, *, body: kopf.Body, **_: Any) -> None:
        """Store an object. Kopf runs this for everything that exists before it runs any event handler.

        So the first round of a pool sees all ensembles, and never composes a plan without some of them.
        """
        obj = _plain(body)
        self._listen(obj, self._store)
        self.feed.put(obj)

    async def event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """One of the three kinds was seen at start (None), added, modified or deleted."""
        obj = _plain(body)
        self._pulse.heard(obj["kind"], listed=type is None, now=self._clock())
        echo = self._take_echo(ref_of(obj))
        if type == "DELETED":
            self.feed.remove(ref_of(obj))
        elif not echo:
            self.feed.mark(obj)

    async def made_index(self, *, body: kopf.Body, **_: Any) -> None:
        """Store what was made for a pool, or a pod of it."""
        obj = _plain(body)
        self._listen(obj, self._made)
        self._made.put(obj)

    async def made_event(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        """Something that was made for a pool, or a pod of it, changed."""
        obj = _plain(body)
        self._pulse.heard(obj["kind"], listed=type is None, now=self._clock())
        echo = self._take_echo(ref_of(obj))
        if type == "DELETED":
            self._made.remove(ref_of(obj))
        elif echo:
            return
        key = pool_of(obj)
        if key is not None and self._store.get(Ref("ServingPool", key)) is not None:
            self._mark(key)

    def _listen(self, obj: Manifest, store: Store) -> None:
        """Compare before the object is stored: by the time of its event the store has it."""
        ref = ref_of(obj)
        if echoes(obj, store.get(ref)):
            self._echoes.add(ref)
        else:
            self._echoes.discard(ref)

    def _take_echo(self, ref: Ref) -> bool:
        echo = ref in self._echoes
        self._echoes.discard(ref)
        return echo


def register(registry: kopf.OperatorRegistry, watch: Watch, *, namespaced: bool, made: Sequence[Made]) -> None:
    """Tell Kopf what to watch: the whole cluster, or as `namespaced`, what `kopf.operator` is told."""

    async def startup(*, settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, namespaced=namespaced, made=made)

    kopf.on.startup(registry=registry)(startup)
    kopf.on.login(registry=registry)(login)
    for plural in PLURALS:
        kopf.index(GROUP, VERSION, plural, registry=registry, id=f"index-{plural}")(watch.index)
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"event-{plural}")(watch.event)
    for kind in made:
        where = (kind.group, kind.version, kind.plural)
        kopf.index(*where, registry=registry, id=f"index-{kind.plural}")(watch.made_index)
        kopf.on.event(*where, registry=registry, id=f"event-{kind.plural}")(watch.made_event)


def _plain(body: kopf.Body) -> Manifest:
    """The object as JSON data."""
    return dict(body)
