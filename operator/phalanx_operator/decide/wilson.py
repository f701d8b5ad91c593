"""An upper bound on a share that was counted (Wilson's score interval)."""

from __future__ import annotations

import math
from typing import Final

Z95: Final = 1.959964
"""Normal quantile of a two-sided 95 % interval; its upper end alone is passed in 2.5 % of the cases."""


def upper_bound(hits: float, total: float, *, z: float = Z95) -> float:
    """The upper end for `hits` of `total`, in 0..1; 1 if nothing was counted."""
    if total <= 0:
        return 1.0
    share = min(hits / total, 1.0)
    z2 = z * z
    centre = share + z2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return min(1.0, (centre + spread) / (1 + z2 / total))
