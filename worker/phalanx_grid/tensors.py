"""Reading safetensors against the shapes that are expected, memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phalanx_grid.errors import ArtifactCorrupt

DTYPES = frozenset({torch.float32, torch.bfloat16, torch.float16})


def read_checked(
    file: Path, shapes: Mapping[str, torch.Size], *, older: Mapping[str, torch.Size] | None = None
) -> dict[str, Tensor]:
    """Tensors of a file, mapped and not copied, after a check of every name, shape and type.

    `older` names the shapes that earlier versions gave to some tensors; they are let pass too.

    Raises:
        ArtifactCorrupt: not safetensors, or a tensor is missing, extra, or of another shape; it is named.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise ArtifactCorrupt(f"not readable as safetensors: {error}", file=file.name) from error
    for name in sorted(tensors.keys() ^ shapes.keys()):
        problem = "is missing" if name in shapes else "does not belong to the geometry"
        raise ArtifactCorrupt(f"the tensor {name} {problem}", file=file.name)
    for name, tensor in tensors.items():
        if tensor.shape not in (shapes[name], (older or {}).get(name)):
            message = f"the tensor {name} has shape {list(tensor.shape)}, the geometry says {list(shapes[name])}"
            raise ArtifactCorrupt(message, file=file.name)
        if tensor.dtype not in DTYPES:
            raise ArtifactCorrupt(f"the tensor {name} is {tensor.dtype}, not a float of 16 or 32 bits", file=file.name)
    return tensors
