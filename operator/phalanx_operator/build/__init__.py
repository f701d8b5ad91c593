"""Pure: specs -> manifests. One total builder for each child of a ServingPool."""

from phalanx_operator.build.pool import Versions, build_pool

__all__ = ["Versions", "build_pool"]
