"""Whether torch sees the GPU that the driver lists: a dry run in its place would look like one that went well.

`python -m bench.gpu.driver` fails where it does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import torch

_HIDDEN = ("", "-1")
_ANSWERS_S = 60.0


def unseen() -> str:
    """What is wrong, and what to do.

    Empty where torch has CUDA, where there is no GPU, or where it is hidden on purpose (CUDA_VISIBLE_DEVICES).
    """
    if torch.cuda.is_available() or os.environ.get("CUDA_VISIBLE_DEVICES") in _HIDDEN:
        return ""
    listed = _listed()
    if not listed:
        return ""
    built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is built without CUDA"
    return (
        f"nvidia-smi lists {listed[0]}, but torch {torch.__version__} finds no CUDA device: it {built}. Install "
        "torch's build for a CUDA version that the driver has, or set CUDA_VISIBLE_DEVICES= for a dry run on the CPU"
    )


def _listed() -> list[str]:
    """GPUs, as the driver's own tool names them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, "-L"], check=False, capture_output=True, text=True, timeout=_ANSWERS_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in done.stdout.splitlines() if line.startswith("GPU ")]


if __name__ == "__main__":
    sys.exit(unseen() or 0)
