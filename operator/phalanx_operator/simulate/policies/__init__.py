"""Who decides: the operator, or a baseline to compare it with."""

from phalanx_operator.simulate.policies.fixed import Fixed
from phalanx_operator.simulate.policies.hpa import HorizontalPodAutoscaler
from phalanx_operator.simulate.policies.operator import OperatorPolicy
from phalanx_operator.simulate.policies.policy import Orders, Policy, Seen, Told

__all__ = ["Fixed", "HorizontalPodAutoscaler", "OperatorPolicy", "Orders", "Policy", "Seen", "Told"]
