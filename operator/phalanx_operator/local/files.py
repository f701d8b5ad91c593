"""Resources from YAML files, checked as an API server would."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml

from phalanx_contract.runtime import API_VERSION, GROUP
from phalanx_operator.api.check import KIND_NAMES, find_issues, with_defaults
from phalanx_operator.api.types import Manifest
from phalanx_operator.observe.store import ref_of

NAMESPACE: Final = "default"
_RELATIVE: Final = "file://./"


class FilesError(Exception):
    """The files cannot be served; one line for each fault, with file, resource and field."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(slots=True)
class Loaded:
    """Resources of this project, Secrets and ConfigMaps; `skipped` names what is no business of local mode."""

    objects: list[Manifest] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def load(paths: Iterable[Path]) -> Loaded:
    """Read and check all documents of all files; defaults are filled in.

    `file://./PATH` in a spec is taken from the folder of the YAML file.

    Raises:
        FilesError: with everything that is wrong.
    """
    paths, loaded = tuple(paths), Loaded()
    faults: list[str] = []
    for path in paths:
        try:
            documents = [doc for doc in yaml.safe_load_all(path.read_text()) if doc is not None]
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            continue
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(f"{path}: {' '.join(str(error).split())}")
            continue
        for document in documents:
            faults += _take(document, path, loaded)
    if not (faults or loaded.objects or loaded.skipped):
        # An editor that empties a file before it writes it must not take everything away.
        faults.append(f"{', '.join(map(str, paths))}: no resource is there; add one")
    counts = Counter(ref_of(obj) for obj in loaded.objects)
    faults += [f"{ref} is there {count} times" for ref, count in counts.items() if count > 1]
    if faults:
        raise FilesError(faults)
    return loaded


def _take(document: Any, path: Path, loaded: Loaded) -> Iterator[str]:
    """Add one document to `loaded`; yields its faults."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        yield f"{path}: a document is no Kubernetes resource: it has no kind"
        return
    api_version, kind, metadata = str(document.get("apiVersion", "")), document["kind"], document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield f"{path}: {kind}: metadata.name: is missing; give the resource a name"
        return
    name = f"{path}: {kind} {metadata['name']}"
    if kind == "Secret" and api_version == "v1":
        loaded.objects.append(_secret(document))
    elif kind == "ConfigMap" and api_version == "v1":
        loaded.objects.append(_placed(document))
    elif api_version.partition("/")[0] != GROUP:
        loaded.skipped.append(name)
    elif api_version != API_VERSION or kind not in KIND_NAMES:
        yield f"{name}: apiVersion, kind: {api_version} {kind} is none of {', '.join(KIND_NAMES)} of {API_VERSION}"
    else:
        obj = with_defaults(kind, _resolved(document, path.parent))
        issues = find_issues(kind, obj)
        yield from (f"{name}: {issue}" for issue in issues)
        if not issues:
            loaded.objects.append(_placed(obj))


def _placed(obj: Manifest) -> Manifest:
    return {**obj, "metadata": {"namespace": NAMESPACE, **obj["metadata"]}}


def _secret(document: Manifest) -> Manifest:
    """`stringData` becomes `data`, as the API server does it."""
    plain = {key: base64.b64encode(str(text).encode()).decode() for key, text in document.get("stringData", {}).items()}
    return _placed({**document, "data": {**(document.get("data") or {}), **plain}})


def _resolved(value: Any, folder: Path) -> Any:
    """The same document with relative file URIs made absolute."""
    if isinstance(value, dict):
        return {key: _resolved(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, folder) for each in value]
    if isinstance(value, str) and value.startswith(_RELATIVE):
        return (folder.resolve() / unquote(value[len(_RELATIVE) :])).as_uri()
    return value
