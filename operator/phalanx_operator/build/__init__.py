"""Pure: specs -> manifests. One total builder for each child of a ServingPool, and for a distillation's Job."""

from phalanx_operator.build.job import distillation_job
from phalanx_operator.build.pool import Versions, build_pool

__all__ = ["Versions", "build_pool", "distillation_job"]
