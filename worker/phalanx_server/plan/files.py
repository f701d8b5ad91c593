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
    """Every plan that appears, and every refusal once (then the plan again, if it comes back). Runs until cancelled."""
    seen: Signature = ()
    last: NewPlan | BadPlan | None = None
    while True:
        signature = look(folder)
        # A refused set is read again each time: its last file may have been on its way.
        if signature and (signature != seen or isinstance(last, BadPlan)):
            found = await asyncio.to_thread(read, folder)
            if found != last:
                yield found
            seen, last = signature, found
        await asyncio.sleep(every_s)


def look(folder: Path) -> Signature:
    """What changes when the files change; empty while there are none."""
    try:
        link = str((folder / "..data").readlink())
    except OSError:
        link = ""
    try:
        with os.scandir(folder) as entries:
            files = tuple(sorted(_identity(entry) for entry in entries if entry.name.startswith(_PREFIX)))
    except OSError:
        return ()
    return (link, *files) if files else ()


def _identity(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    """What tells one version of a file from the next; a link to nothing, as in a torn set, has zeros."""
    try:
        stat = entry.stat()
    except FileNotFoundError:
        return (entry.name, 0, 0, 0)
    return (entry.name, stat.st_mtime_ns, stat.st_size, stat.st_ino)


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
