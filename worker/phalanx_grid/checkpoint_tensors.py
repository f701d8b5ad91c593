"""Tensors of a checkpoint directory, read from safetensors alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phalanx_grid.errors import CheckpointError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
TO_SAFETENSORS: Final = (
    "pickled weights are never read; save them as safetensors by transformers: "
    "AutoModelForSequenceClassification.from_pretrained(DIR).save_pretrained(DIR), or AutoModel for a plain encoder"
)


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors by name, memory-mapped.

    Raises:
        CheckpointError: there is no safetensors file (pickled weights are never read), or one is damaged.
    """
    tensors: dict[str, Tensor] = {}
    for name in _files(directory):
        try:
            with safe_open(directory / name, framework="pt") as file:
                tensors.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 - no mapping
        except FileNotFoundError as error:
            raise CheckpointError("missing", file=name) from error
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"not readable as safetensors: {error}", file=name) from error
    return tensors


def _files(directory: Path) -> list[str]:
    if (directory / SINGLE).is_file():
        return [SINGLE]
    if (directory / INDEX).is_file():
        try:
            names = set(msgspec.json.decode((directory / INDEX).read_bytes(), type=_Index).weight_map.values())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CheckpointError(str(error), file=INDEX) from error
        for name in names:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise CheckpointError(f"names {name!r}, which is no safetensors file beside it", file=INDEX)
        return sorted(names)
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern))
    if pickled:
        raise CheckpointError(TO_SAFETENSORS, file=pickled[0])
    raise CheckpointError("missing", file=SINGLE)


class Source:
    """Tensors by name and shape, below the prefix that the checkpoint uses."""

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str) -> None:
        self._tensors, self._prefix = tensors, prefix

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._tensors

    def take(self, name: str, *shape: int) -> Tensor:
        """One tensor as float32.

        Raises:
            CheckpointError: it is missing, has another shape than config.json says, or holds what is no number.
        """
        full = self._prefix + name
        if full not in self._tensors:
            raise CheckpointError(f"the tensor {full} is missing")
        tensor = self._tensors[full]
        if tuple(tensor.shape) != shape:
            raise CheckpointError(f"the tensor {full} has shape {list(tensor.shape)}, config.json says {list(shape)}")
        whole = tensor.to(torch.float32)
        if not bool(whole.isfinite().all()):
            raise CheckpointError(f"the tensor {full} holds NaN or infinity; take a checkpoint from before it diverged")
        return whole
