"""Watching the plan's files.

A mounted ConfigMap is a folder in which `..data` links to the current version; a plain folder has just the files.
Both are looked at a few times a second with one or two system calls. A set that is torn (some files new, some
old) is refused whole, the old plan goes on, and the set is read again until it fits.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from phalanx_contract.errors import ContractError
from phalanx_contract.plan import Plan, PlanHash
from phalanx_contract.wire import unpack

log = logging.getLogger(__name__)

_PREFIX: Final = "plan."
Signature: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A whole plan, other than the one before."""

    hash: PlanHash
    plan: Plan


@dataclass(frozen=True, slots=True)
class BadPlan:
    """Files that are not a plan; the plan before stays."""

    message: str


async def watch(folder: Path, *, every_s: float) -> AsyncIterator[NewPlan | BadPlan]:
    """Every plan that appears, and every refusal once. Runs until it is cancelled."""
    seen: Signature | None = None
    last: NewPlan | BadPlan | None = None
    served: PlanHash | None = None
    while True:
        signature = look(folder)
        # A refused set is read again each time: its last file may have been on its way.
        if signature and (signature != seen or isinstance(last, BadPlan)):
            found = await asyncio.to_thread(read, folder)
            repeated = found == last or (isinstance(found, NewPlan) and found.hash == served)
            if not repeated:
                yield found
            seen, last = signature, found
            served = found.hash if isinstance(found, NewPlan) else served
        await asyncio.sleep(every_s)


def look(folder: Path) -> Signature:
    """What changes when the files change; empty while there are none."""
    try:
        link = str((folder / "..data").readlink())
    except OSError:
        link = ""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries if entry.name.startswith(_PREFIX)]
    except OSError:
        return ()
    if not stats:
        return ()
    return (link, *sorted((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats))


def read(folder: Path) -> NewPlan | BadPlan:
    """The plan that the files hold now."""
    try:
        files = {path.name: path.read_bytes() for path in sorted(folder.glob(f"{_PREFIX}*")) if path.is_file()}
        plan_hash, plan = unpack(files)
    except OSError as error:
        return BadPlan(f"{folder}: {error.strerror}")
    except ContractError as error:
        return BadPlan(f"{folder}: {error}")
    return NewPlan(plan_hash, plan)
