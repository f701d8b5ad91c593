"""Which executor `auto` stands for: pure, by what was measured (docs/execution.md), or is yet to be.

On a CPU `threads`: it deals students and texts to cores by the size of each batch itself (`cpu/deal.py`), and on one
core does what `packed` does.

On CUDA `graphs` runs small batches by graph, where launches decide, and hands the rest to `stacked`. `make bench-gpu`
holds it against the others.
"""

from __future__ import annotations


def winner(device: str) -> str:
    """The executor for a type of device, `cpu` or `cuda`."""
    return "threads" if device == "cpu" else "graphs"
