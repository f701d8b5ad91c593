"""`ens/sentiment` as people type it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from phalanx_operator.api.schema.crd import KINDS
from phalanx_operator.api.types import Manifest

_NAMES: Final = {
    name: kind.kind
    for kind in KINDS
    for name in (kind.short, kind.kind.lower(), kind.plural, f"{kind.plural}.phalanx.dev")
}


def name_of(text: str, kind: str) -> str:
    """The name in `KIND/NAME`, or in `NAME` alone.

    Raises:
        click.BadParameter: another kind is named, or no name is left.
    """
    given, slash, name = text.rpartition("/")
    short = next(each.short for each in KINDS if each.kind == kind)
    if not name or (slash and _NAMES.get(given.lower()) != kind):
        raise click.BadParameter(f"{text!r} names no {kind}: write {short}/NAME")
    return name


def only(objects: Sequence[Manifest], name: str, kind: str) -> Manifest:
    """The object of that name.

    Raises:
        click.ClickException: there is none; the message says which there are.
    """
    found = next((obj for obj in objects if obj["metadata"]["name"] == name), None)
    if found is None:
        names = ", ".join(obj["metadata"]["name"] for obj in objects[:5]) or "none"
        raise click.ClickException(f"no {kind} {name} in this namespace (there: {names}); look elsewhere with -n")
    return found
