"""A proof before service: drivers and kernels have surprised before."""

from __future__ import annotations

from phalanx_grid.batch import Batch
from phalanx_grid.execution.cuda.buckets import Bucket
from phalanx_grid.execution.executor import Executor
from phalanx_grid.geometry import Geometry
from phalanx_grid.outputs import FinalStep


def alike(one: Executor, other: Executor, geometry: Geometry, bucket: Bucket) -> bool:
    """Whether two executors answer a text that nearly fills the bucket alike, within the first one's tolerance."""
    ids = [index % geometry.vocab for index in range(max(bucket.length - 1, 1))]
    batch = Batch.pad([ids], geometry.pad_id)
    *_, mine = one.steps(batch, students=bucket.students)
    *_, wanted = other.steps(batch, students=bucket.students)
    assert isinstance(mine, FinalStep)
    assert isinstance(wanted, FinalStep)
    off = (mine.pooled - wanted.pooled).abs().max() / wanted.pooled.abs().max()
    return bool(off <= one.tolerance)  # which is false for NaN too
