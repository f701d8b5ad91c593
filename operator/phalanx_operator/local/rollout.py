"""What a Deployment does to its pods. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One pod of a Deployment; `current` if it was made from the present template."""

    name: str
    current: bool
    ready: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What to do next; after it, ask again."""

    create: int = 0
    stop: tuple[str, ...] = ()


def next_change(members: Sequence[Member], *, replicas: int, max_surge: int, max_unavailable: int) -> Change:
    """One step of a rolling update, or of scaling.

    Never more than `replicas + max_surge` pods, and no ready pod is stopped for an update while fewer than
    `replicas - max_unavailable` would remain ready. Pods that are not ready serve nobody, so they go first.
    """
    if replicas <= 0:
        return Change(stop=tuple(member.name for member in members))
    old = sorted((member for member in members if not member.current), key=lambda each: (each.ready, each.name))
    current = sorted((member for member in members if member.current), key=lambda each: (each.ready, each.name))
    if len(current) > replicas:
        return Change(stop=tuple(member.name for member in current[: len(current) - replicas]))
    room = replicas + max_surge - len(members)
    missing = replicas - len(current)
    ready = sum(member.ready for member in members)
    spare = max(ready - (replicas - max_unavailable), 0)
    dead = [member.name for member in old if not member.ready]
    stop = dead + [member.name for member in old if member.ready][:spare]
    return Change(create=max(min(missing, room), 0), stop=tuple(stop))
