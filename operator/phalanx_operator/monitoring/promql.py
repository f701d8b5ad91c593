"""The few shapes of PromQL that dashboard and alerts are made of. Pure.

Worker series are expected to carry `namespace` and `pod`, as Kubernetes discovery sets them. A worker's pool is
read off its pod's name (POOL-HASH-SUFFIX), so that no relabelling is needed.
"""

from __future__ import annotations

from typing import Final

from phalanx_contract.metrics import Metric

POD_SUFFIX: Final = "-[a-z0-9]+-[a-z0-9]{5}"
"""What a Deployment adds to its name for a pod's; names of other pools that begin the same do not match."""
BY_ENSEMBLE: Final = "namespace, ensemble"


def select(metric: Metric, matchers: str = "", *, suffix: str = "") -> str:
    """The series of a metric."""
    return f"{metric.exposed}{suffix}{{{matchers}}}" if matchers else f"{metric.exposed}{suffix}"


def rate(metric: Metric, matchers: str = "", *, window: str, by: str, suffix: str = "") -> str:
    """Increase a second, summed."""
    return f"sum by ({by}) (rate({select(metric, matchers, suffix=suffix)}[{window}]))"


def increase(metric: Metric, matchers: str = "", *, window: str, by: str) -> str:
    """Increase over the window, summed."""
    return f"sum by ({by}) (increase({select(metric, matchers)}[{window}]))"


def quantile(share: float, metric: Metric, matchers: str = "", *, window: str, by: str = BY_ENSEMBLE) -> str:
    """A quantile of a histogram over all workers: their buckets are added first."""
    return f"histogram_quantile({share:g}, {rate(metric, matchers, window=window, by=f'{by}, le', suffix='_bucket')})"


def of_pool(expression: str) -> str:
    """The expression with a label `pool` made from `pod`."""
    return f'label_replace({expression}, "pool", "$1", "pod", "(.+){POD_SUFFIX}")'
