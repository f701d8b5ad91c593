"""The volumes of a pod as folders on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phalanx_operator.api.types import Manifest
from phalanx_operator.local import claims, folders, paths

Files = Mapping[str, bytes]


class VolumeError(Exception):
    """A pod cannot be started (yet) because of a volume; the text names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What the volumes of pods show: ConfigMaps and Secrets by name, and a folder for each claim."""

    config_maps: Mapping[str, Files] = field(default_factory=dict)
    secrets: Mapping[str, Files] = field(default_factory=dict)
    claims: Mapping[str, Path] = field(default_factory=dict)


def mount(pod: Manifest, contents: Contents, root: Path) -> dict[str, Path]:
    """Create or refresh every volume below `root`; return the host's folder for each mount path.

    Calling it again with other contents changes the files of ConfigMaps and Secrets atomically, and empties nothing.

    Raises:
        VolumeError: a ConfigMap, Secret or claim that is not optional does not exist, or a kind of volume or a
            subPath is not supported here.
    """
    sources = {
        volume["name"]: _prepare(volume, contents, root / "volumes" / volume["name"])
        for volume in pod["spec"].get("volumes", [])
    }
    mounts: dict[str, Path] = {}
    for entry in _mounts(pod):
        if entry.get("subPath"):
            raise VolumeError(f"volume {entry['name']}: subPath is not supported by the process runner")
        if entry["name"] not in sources:
            raise VolumeError(f"volume {entry['name']} is mounted but not defined")
        mounts[entry["mountPath"].rstrip("/")] = sources[entry["name"]]
    return mounts | _folders_of_mounts(mounts, root / "mounts")


def _mounts(pod: Manifest) -> Iterator[dict[str, Any]]:
    for container in pod["spec"]["containers"]:
        yield from container.get("volumeMounts", [])


def _folders_of_mounts(mounts: Mapping[str, Path], root: Path) -> dict[str, Path]:
    """A folder of links for each path that only holds mounts, such as the claims' folder."""
    parents = {}
    for parent, children in paths.mount_parents(list(mounts)).items():
        folder = root / parent.strip("/").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for child in children:
            link = folder / child.rsplit("/", 1)[1]
            if not link.is_symlink():
                link.symlink_to(mounts[child])
        parents[parent] = folder
    return parents


def _prepare(volume: Manifest, contents: Contents, folder: Path) -> Path:
    """One volume's folder on the host."""
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        if claim not in contents.claims:
            raise VolumeError(f"volume {volume['name']}: there is no claim {claim}; {claims.next_step(claim)}")
        return contents.claims[claim].resolve()
    if "hostPath" in volume:
        return Path(volume["hostPath"]["path"])
    if "emptyDir" in volume:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    sources = volume["projected"].get("sources", []) if "projected" in volume else [volume]
    files: dict[str, bytes] = {}
    for source in sources:
        files |= _files(volume["name"], source, contents)
    folder.mkdir(parents=True, exist_ok=True)
    folders.publish(folder, files)
    return folder


def _files(volume: str, source: Manifest, contents: Contents) -> dict[str, bytes]:
    """The files of one ConfigMap or Secret source, after `items` and `optional`."""
    if "configMap" in source:
        kind, reference, known = "ConfigMap", source["configMap"], contents.config_maps
    elif "secret" in source:
        kind, reference, known = "Secret", source["secret"], contents.secrets
    else:
        kinds = ", ".join(key for key in source if key != "name")
        raise VolumeError(f"volume {volume}: {kinds or 'this kind'} is not supported by the process runner")
    name = reference.get("name") or reference.get("secretName", "")
    if name not in known:
        if reference.get("optional"):
            return {}
        raise VolumeError(f"volume {volume}: there is no {kind} {name}")
    if not reference.get("items"):
        return dict(known[name])
    chosen = {item["path"]: known[name].get(item["key"]) for item in reference["items"]}
    missing = [path for path, content in chosen.items() if content is None]
    if missing and not reference.get("optional"):
        raise VolumeError(f"volume {volume}: {kind} {name} has no content for {', '.join(missing)}")
    return {path: content for path, content in chosen.items() if content is not None}
