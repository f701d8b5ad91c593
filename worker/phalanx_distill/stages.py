"""Where a run keeps what it has done, so that an interrupt costs one epoch at most.

A snapshot is one safetensors file whose header carries a JSON state. It is written beside its name and renamed, so
it is there whole or not at all, whenever the process ends. Snapshots lie in a folder named by the run's fingerprint:
another configuration, other rows or another teacher never see them. Who writes holds the folder's lock (lock.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from phalanx_distill.errors import OutputError

_STATE: Final = "phalanx.state"
_NAME_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tensors by name and a JSON state."""

    tensors: dict[str, Tensor]
    state: dict[str, Any] = field(default_factory=dict)


def fingerprint(**parts: Any) -> str:
    """64 hex digits over the canonical JSON of all that decides a run's result.

    What is None is left out: a setting that is new, and does nothing unless it is given, leaves earlier runs what they
    were.
    """
    told = _without_none(msgspec.to_builtins(parts))
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return [_without_none(part) for part in value] if isinstance(value, list | tuple) else value


class Stages:
    """The snapshots of one run, in `<root>/<first digits of the fingerprint>`."""

    def __init__(self, root: Path, fingerprint: str) -> None:
        self.root = root
        self.folder = root / fingerprint[:_NAME_DIGITS]

    def __repr__(self) -> str:
        return f"Stages({self.folder}, {sorted(path.stem for path in self.folder.glob('*.safetensors'))})"

    def open(self, *, shared: bool = False) -> bool:
        """Make the folder; unless `shared`, drop what other configurations left. True if something is there already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for other in () if shared else self.root.iterdir():
            if other != self.folder and len(other.name) == _NAME_DIGITS and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
        for torn in (*self.folder.glob("*.part"), *self.folder.glob(".tmp*")):  # the latter are safetensors' own
            torn.unlink(missing_ok=True)
        return any(self.folder.rglob("*.safetensors"))

    def save(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the snapshot `name`, whole or not at all.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        path = self._path(name)
        part = path.with_name(f"{path.name}.part")
        # Clones: safetensors refuses tensors that share memory, as optimiser state and views may.
        whole = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        try:
            save_file(whole, part, metadata={_STATE: msgspec.json.encode(state).decode()})
            with part.open("rb") as file:
                os.fsync(file)  # a crash of the whole machine must not leave the new name without its bytes
            part.replace(path)
        except (SafetensorError, OSError) as error:
            message = f"{path} cannot be written: {error}; make room for it, then give the same command again to go on"
            raise OutputError(message) from error

    def load(self, name: str) -> Snapshot | None:
        """The snapshot `name`; None if there is none, or if a crash of the whole machine tore it."""
        path = self._path(name)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                state = msgspec.json.decode((file.metadata() or {}).get(_STATE, "{}"), type=dict[str, Any])
                return Snapshot({key: file.get_tensor(key) for key in file.keys()}, state)  # noqa: SIM118
        except (SafetensorError, msgspec.DecodeError, OSError):
            return None

    def clear(self) -> None:
        """Remove everything, once the result is safe elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.root.is_dir() and not os.listdir(self.root):  # noqa: PTH208 - emptiness only
            self.root.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"
