"""How many threads torch's operators take in the calling thread."""

from __future__ import annotations

import torch


def use_threads(count: int) -> None:
    """Let operators that this thread calls run on so many threads.

    torch keeps the number for each thread, but a thread that asks or computes for the first time takes over what any
    thread has set last. So the first question comes before the setting, and not, unseen, with the first product.
    """
    torch.get_num_threads()
    torch.set_num_threads(count)
