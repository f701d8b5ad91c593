"""Every metric that there is: the workers', the operator's own, and those of its resources."""

from __future__ import annotations

from typing import Final, Literal, cast

from prometheus_client.metrics import MetricWrapperBase

from phalanx_contract import metrics as worker
from phalanx_contract.metrics import Metric
from phalanx_operator import tally
from phalanx_operator.reconcile import census


def described(collector: MetricWrapperBase) -> Metric:
    """A metric of the client library in the contract's words."""
    (family,) = collector.describe()
    # The library has no public way to ask for the label names.
    labels = tuple(collector._labelnames)
    kind = cast(Literal["counter", "gauge", "histogram"], family.type)
    return Metric(name=family.name, kind=kind, help=family.documentation, labels=labels)


ROUNDS: Final = described(tally.ROUNDS)
ROUND_SECONDS: Final = described(tally.ROUND_SECONDS)
DECISIONS: Final = described(tally.DECISIONS)
LEADER: Final = described(tally.LEADER)

WORKER: Final = worker.ALL
OPERATOR: Final = (
    *(described(each) for each in vars(tally).values() if isinstance(each, MetricWrapperBase)),
    *census.ALL,
)
