"""Settings from plain data, such as a YAML document or options of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from phalanx_distill.errors import SettingError

S = TypeVar("S", bound=msgspec.Struct)


def parse_settings(kind: type[S], data: Mapping[str, Any]) -> S:
    """The defaults of `kind` with the given values in their place, from plain data such as a YAML document.

    A section that is given in part keeps its other defaults; texts are read as numbers where a number is wanted, and as
    lists of one where a list is.

    Raises:
        SettingError: an unknown setting or a value out of bounds; `field` is its path, such as `teacher.fit.epochs`.
    """
    try:
        return msgspec.convert(_over(msgspec.to_builtins(kind()), data), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _located(error) from error


def _over(defaults: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`given` laid over `defaults`, section by section."""
    merged = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            raise SettingError(f"{path}{name}", f"no such setting; there are {', '.join(defaults)}")
        below = merged[name]
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = _over(cast(Mapping[str, Any], below), value, f"{path}{name}.")
        else:
            merged[name] = [value] if isinstance(below, list | tuple) and isinstance(value, str) else value
    return merged


def _located(error: msgspec.ValidationError) -> SettingError:
    message, _, at = str(error).partition(" - at `")
    return SettingError(at.rstrip("`").removeprefix("$").removeprefix("."), message)
