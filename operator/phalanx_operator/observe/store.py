"""Objects as last seen. Filled by watches (or by files, in local mode), read without waiting for anybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from phalanx_operator.api.types import Key, Manifest


@dataclass(frozen=True, slots=True)
class Ref:
    """One object: its kind and name."""

    kind: str
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def ref_of(obj: Manifest) -> Ref:
    """What a manifest is called."""
    meta = obj["metadata"]
    return Ref(obj["kind"], Key(meta.get("namespace") or "default", meta["name"]))


class Store:
    """Objects by kind and name. Whoever takes one out must not change it."""

    def __init__(self, objects: Iterable[Manifest] = ()) -> None:
        self._objects: dict[str, dict[Key, Manifest]] = {}
        for obj in objects:
            self.put(obj)

    def __repr__(self) -> str:
        return f"<Store {', '.join(f'{len(found)} {kind}' for kind, found in sorted(self._objects.items()))}>"

    def put(self, obj: Manifest) -> None:
        """Remember an object as it is now."""
        ref = ref_of(obj)
        self._objects.setdefault(ref.kind, {})[ref.key] = obj

    def remove(self, ref: Ref) -> Manifest | None:
        """Forget an object; returns what it was."""
        return self._objects.get(ref.kind, {}).pop(ref.key, None)

    def get(self, ref: Ref) -> Manifest | None:
        """One object, or None."""
        return self._objects.get(ref.kind, {}).get(ref.key)

    def all_of(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind, sorted by name."""
        found = self._objects.get(kind, {})
        keys = (key for key in found if namespace is None or key.namespace == namespace)
        return [found[key] for key in sorted(keys, key=str)]

    def replace(self, kind: str, objects: Iterable[Manifest]) -> Iterator[Manifest]:
        """Make `objects` all that there is of a kind; yields those that are gone or differ from before."""
        before = self._objects.get(kind, {})
        now = {ref_of(obj).key: obj for obj in objects}
        self._objects[kind] = now
        for key in before.keys() | now.keys():
            old, new = before.get(key), now.get(key)
            if version_of(old) != version_of(new):
                yield new or old or {}


def version_of(obj: Manifest | None) -> str:
    """The server's version of an object; empty for none."""
    return "" if obj is None else str(obj["metadata"].get("resourceVersion", ""))


def selected(objects: Iterable[Manifest], labels: Mapping[str, str]) -> list[Manifest]:
    """Those that carry all of `labels`."""
    return [obj for obj in objects if labels.items() <= (obj["metadata"].get("labels") or {}).items()]


def owned_by(objects: Iterable[Manifest], uid: str) -> list[Manifest]:
    """Those that have the object `uid` among their owners."""
    return [
        obj for obj in objects if any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or [])
    ]
