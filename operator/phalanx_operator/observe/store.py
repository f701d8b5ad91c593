"""Objects as last seen. Filled by watches (or by files, in local mode), read without waiting for anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

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


REFERENCES: Final[Mapping[str, str]] = {"StudentEnsemble": "pool", "TenantAdapter": "ensemble"}
"""The field of the spec in which a kind names what it belongs to, in its own namespace."""


def named_by(obj: Manifest) -> Key | None:
    """What an object belongs to, by the name in its spec, if it is a name at all."""
    field = REFERENCES.get(obj["kind"])
    name = (obj.get("spec") or {}).get(field) if field else None
    return Key(ref_of(obj).key.namespace, name) if isinstance(name, str) else None


Owner = Callable[[Manifest], Key | None]
"""What an object belongs to."""


class Store:
    """Objects by kind and name, and by what they belong to: a pool finds its ensembles without looking at all others'.

    Whoever takes an object out must not change it.
    """

    def __init__(self, objects: Iterable[Manifest] = (), *, owner: Owner = named_by) -> None:
        self._owner = owner
        self._objects: dict[str, dict[Key, Manifest]] = {}
        self._belonging: defaultdict[str, defaultdict[Key | None, set[Key]]] = defaultdict(lambda: defaultdict(set))
        for obj in objects:
            self.put(obj)

    def __repr__(self) -> str:
        return f"<Store {', '.join(f'{len(found)} {kind}' for kind, found in sorted(self._objects.items()))}>"

    def put(self, obj: Manifest) -> None:
        """Remember an object as it is now."""
        obj, ref = lean(obj), ref_of(obj)
        found = self._objects.setdefault(ref.kind, {})
        before, owner = found.get(ref.key), self._owner(obj)
        if before is None or self._owner(before) != owner:
            self._part(ref, before)
            self._belonging[ref.kind][owner].add(ref.key)
        found[ref.key] = obj

    def remove(self, ref: Ref) -> Manifest | None:
        """Forget an object; returns what it was."""
        gone = self._objects.get(ref.kind, {}).pop(ref.key, None)
        self._part(ref, gone)
        return gone

    def _part(self, ref: Ref, before: Manifest | None) -> None:
        """Take an object out of what it belonged to."""
        if before is None:
            return
        owner = self._owner(before)
        members = self._belonging[ref.kind][owner]
        members.discard(ref.key)
        if not members:
            del self._belonging[ref.kind][owner]

    def get(self, ref: Ref) -> Manifest | None:
        """One object, or None."""
        return self._objects.get(ref.kind, {}).get(ref.key)

    def all_of(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind, sorted by name."""
        found = self._objects.get(kind, {})
        keys = (key for key in found if namespace is None or key.namespace == namespace)
        return [found[key] for key in sorted(keys, key=str)]

    def belonging_to(self, kind: str, owner: Key | None) -> list[Manifest]:
        """The objects of a kind that belong to this one, sorted by name; to None: those that name none."""
        if kind not in self._objects:
            return []
        return [self._objects[kind][key] for key in sorted(self._belonging[kind].get(owner, ()), key=str)]

    def owners(self, kind: str) -> list[Key | None]:
        """What objects of a kind belong to, whether it exists or not; None among them if one names none."""
        return list(self._belonging[kind]) if kind in self._objects else []


def version_of(obj: Manifest | None) -> str:
    """The server's version of an object; empty for none."""
    return "" if obj is None else str(obj["metadata"].get("resourceVersion", ""))


_ACCOUNTS_KEPT: Final = frozenset({"Deployment"})
"""Theirs say who else sets the number of workers."""


def lean(obj: Manifest) -> Manifest:
    """Without the server's accounts of who set which field: mostly they are larger than all the rest."""
    if obj["kind"] in _ACCOUNTS_KEPT or "managedFields" not in obj["metadata"]:
        return obj
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def echoes(obj: Manifest, known: Manifest | None) -> bool:
    """Whether an object tells nothing that is not known: only the server's own accounts of it differ, if anything.

    Watches tell of what was just written here, and after an interruption of everything again.
    """
    return known is not None and _told(obj) == _told(known)


def outdated(obj: Manifest, known: Manifest | None) -> bool:
    """Whether an object is as it was before what is known: a watch tells late of what was overwritten here meanwhile.

    Versions of one kind of objects grow (KEP-5504); a server whose versions are no numbers is believed.
    """
    told, last = version_of(obj), version_of(known)
    return told.isdecimal() and last.isdecimal() and int(told) < int(last)


def _told(obj: Manifest) -> Manifest:
    meta = {key: value for key, value in obj["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    return {**obj, "metadata": meta}


def selected(objects: Iterable[Manifest], labels: Mapping[str, str]) -> list[Manifest]:
    """Those that carry all of `labels`."""
    return [obj for obj in objects if labels.items() <= (obj["metadata"].get("labels") or {}).items()]


def owned_by(objects: Iterable[Manifest], uid: str) -> list[Manifest]:
    """Those that have the object `uid` among their owners."""
    return [
        obj for obj in objects if any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or [])
    ]
