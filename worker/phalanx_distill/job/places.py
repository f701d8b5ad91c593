"""Where teacher, rows and artifact lie: a packaged name, a folder, a mounted claim, or a store that fsspec reads."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from phalanx_distill.errors import DataError, DistillError, OutputError, StoreError
from phalanx_grid.manifest import MANIFEST

_STORES: Final = ("http", "https", "s3", "gs", "gcs", "az", "abfs")
_CHECKPOINT: Final = ("config.json", "tokenizer.json", "model.safetensors")
"""What is asked for where a store cannot list a folder."""


def on_disk(uri: str, claims_dir: Path) -> Path | None:
    """The path that a `file://` or `pvc://` URI names; None for a store.

    Raises:
        DataError: another scheme, a claim that is not mounted, or a path that leaves it.
    """
    parts = urlsplit(uri)
    if parts.scheme in _STORES and "::" not in uri:
        return None
    path = PurePosixPath(unquote(parts.path))
    if parts.scheme == "file" and not parts.netloc:
        return Path(path)
    if parts.scheme != "pvc" or not parts.netloc or parts.netloc in (".", "..") or ".." in path.parts:
        raise DataError(f"{uri}: write pvc://CLAIM/PATH, file:///PATH, or the URI of a store ({', '.join(_STORES)})")
    if not (claims_dir / parts.netloc).is_dir():
        raise DataError(f"{uri}: the claim {parts.netloc} is not mounted here")
    return claims_dir / parts.netloc / str(path).lstrip("/")


def fetched_folder(name: str, *, claims_dir: Path, into: Path) -> str:
    """A checkpoint's folder on this disk, copied there from a store; a packaged name stays as it is.

    Raises:
        DataError: the store has no such folder, or does not let us read it.
        StoreError: it does not answer.
    """
    if "://" not in name:
        return name
    path = on_disk(name, claims_dir)
    if path is None:
        path = into
        store, root = _store(name)
        for file in _files(store, root, name):
            _copy(store, f"{root}/{file}", into / file, name)
    return str(path)


def fetched_file(name: str, *, claims_dir: Path, into: Path) -> str:
    """A file of rows on this disk, as `fetched_folder`."""
    if "://" not in name:
        return name
    path = on_disk(name, claims_dir)
    if path is None:
        store, root = _store(name)
        # What is asked of an HTTP server may go on after the name: a signature that nobody else should read.
        path = into / PurePosixPath(urlsplit(name).path if name.startswith("http") else root).name
        _copy(store, root, path, name)
    return str(path)


def put(folder: Path, uri: str) -> None:
    """Copy an artifact into a store, the manifest last: a reader finds all of it, or none.

    Raises:
        OutputError: the store does not take it.
    """
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for name in sorted(files, key=lambda name: (name == MANIFEST, name)):
        put_file(folder / name, f"{uri.rstrip('/')}/{name}")


def put_file(file: Path, uri: str) -> None:
    """Copy one file into a store. Raises OutputError."""
    store, path = _store(uri)
    try:
        store.put_file(str(file), path)
    except Exception as error:  # each store's client has errors of its own
        raise OutputError(f"{uri}: {type(error).__name__}: {error}") from error


def remove(folder: Path) -> None:
    """Free the room of a copy; one that is gone already is fine."""
    shutil.rmtree(folder, ignore_errors=True)


def _store(uri: str) -> tuple[Any, str]:
    """The file system of a store, and the path in it (`Any`: fsspec has no types)."""
    import fsspec  # slow to import, and most Jobs read from disks

    try:
        store, root = fsspec.core.url_to_fs(uri.rstrip("/"))
    except ImportError as error:
        raise DataError(f"{uri}: this image has no driver for the store: {error}") from error
    return store, str(root)


def _files(store: Any, root: str, uri: str) -> list[str]:
    """Names below a folder. HTTP servers list none, so the usual ones are asked for."""
    if urlsplit(uri).scheme in ("http", "https"):
        return list(_CHECKPOINT)
    try:
        found = [str(path).removeprefix(root).lstrip("/") for path in store.find(root)]
    except Exception as error:  # as in `put_file`
        raise _unread(uri, error) from error
    if not found:
        raise DataError(f"{uri}: no such folder in the store; upload the checkpoint, or correct the URI")
    if any(".." in PurePosixPath(file).parts for file in found):
        raise DataError(f"{uri}: a name in it leads out of the folder; remove what does not belong to the checkpoint")
    return found


def _copy(store: Any, source: str, target: Path, uri: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        store.get_file(source, str(target))
    except Exception as error:  # as in `put_file`
        raise _unread(f"{uri}: {source}", error) from error


def _unread(what: str, error: Exception) -> DistillError:
    """Whether asking again may help: not for what is not there, or is not for us."""
    kind = DataError if isinstance(error, FileNotFoundError | PermissionError) else StoreError
    return kind(f"{what}: {type(error).__name__}: {error}")
