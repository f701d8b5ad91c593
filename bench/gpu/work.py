"""How much there is to do in a pass: pure arithmetic, for the roofline (Williams et al., CACM 52(4), 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_grid import Geometry

ELEMENT_BYTES = 2
"""Of weights and states in bfloat16."""


@dataclass(frozen=True, slots=True)
class Work:
    """Operations, and bytes that have to cross the device's memory at least once."""

    flops: float
    moved_bytes: float

    def least_s(self, limits: Limits) -> float:
        """No pass can be faster: the longer of computing and moving."""
        return max(self.flops / limits.flops_per_s, self.moved_bytes / limits.bytes_per_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device was measured to do at best."""

    flops_per_s: float
    bytes_per_s: float


def pass_work(geometry: Geometry, *, students: int, texts: int, length: int) -> Work:
    """A pass of k students over N texts of S tokens.

    Weights of the rows and the embeddings of the tokens are read once. States are not counted: fused well they stay on
    the chip. Matrix products take two operations for each weight and token, attention four for each pair of tokens and
    feature. With pooling `cls` the last row has nothing but queries, keys and values of all tokens, and the rest of
    first tokens alone: what a teacher computes beyond that is of no use.
    """
    H, tokens = geometry.hidden, texts * length
    qkv, rest = 3 * H * H, H * H + 2 * H * geometry.ffn
    whole = 2.0 * (qkv + rest) * tokens + 4.0 * tokens * length * H
    last = whole if geometry.pooling == "mean" else 2.0 * qkv * tokens + (2.0 * rest + 4.0 * length * H) * texts
    flops = students * ((geometry.rows - 1) * whole + last)
    weights = float(students * geometry.rows) * (qkv + rest)
    return Work(flops, ELEMENT_BYTES * (weights + float(tokens) * H))


def texts_work(geometry: Geometry, *, students: int, lengths: Sequence[int], batch_texts: int) -> Work:
    """All texts in batches of so many, without padding: what padding costs is no use of the device."""
    each = [pass_work(geometry, students=students, texts=1, length=length) for length in lengths]
    weights = pass_work(geometry, students=students, texts=0, length=0).moved_bytes
    batches = -(-len(lengths) // batch_texts)
    moved = sum(work.moved_bytes - weights for work in each) + batches * weights
    return Work(sum(work.flops for work in each), moved)
