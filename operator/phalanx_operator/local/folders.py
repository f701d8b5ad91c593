"""Files of a ConfigMap or Secret in a folder, changed all at once as the kubelet does it.

folder/plan.000   -> ..data/plan.000
folder/..data     -> ..1700000000-1        one rename of this link changes every file at the same time
folder/..1700000000-1/plan.000
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

_DATA = "..data"
_COUNTER = itertools.count()


def read(folder: Path) -> dict[str, bytes] | None:
    """The files that are visible now; None before the first `publish`."""
    data = folder / _DATA
    if not data.exists():
        return None
    return {path.name: path.read_bytes() for path in data.iterdir()}


def publish(folder: Path, files: Mapping[str, bytes], *, mode: int = 0o644) -> bool:
    """Make `files` (name -> content) the whole content of `folder`, atomically.

    Returns False, and leaves every inode alone, where the content is the same already.

    Raises:
        ValueError: a file name has a slash or starts with `..`.
    """
    for name in files:
        if "/" in name or name.startswith("..") or not name:
            raise ValueError(f"{name!r} is no file name for a ConfigMap's key")
    if read(folder) == dict(files):
        return False
    version = folder / f"..{time.time_ns()}-{next(_COUNTER)}"
    version.mkdir(parents=True)
    for name, content in files.items():
        (version / name).write_bytes(content)
        (version / name).chmod(mode)
    old = (folder / _DATA).resolve() if (folder / _DATA).exists() else None
    _swap_link(folder / _DATA, version.name)
    _link_files(folder, files)
    if old is not None:
        shutil.rmtree(old)
    return True


def _swap_link(link: Path, target: str) -> None:
    temporary = link.with_name(link.name + "_tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def _link_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """One link for each file; links of files that are gone go too."""
    for path in folder.iterdir():
        if path.is_symlink() and path.name != _DATA and path.name not in files:
            path.unlink()
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_DATA}/{name}")
