"""Which executor `auto` stands for: pure, by what was measured (docs/execution.md), or is yet to be.

On a CPU `threads` is never behind by more than an operator's overhead, and ahead wherever there are several students
or several texts: it deals them to cores by students and batch itself (`cpu/deal.py`).

On CUDA `graphs` runs small batches by graph, where launches decide, and hands the rest to `stacked`. `make bench-gpu`
holds it against the others.
"""

from __future__ import annotations


def winner(device: str) -> str:
    """The executor for a type of device, `cpu` or `cuda`."""
    return "threads" if device == "cpu" else "graphs"
