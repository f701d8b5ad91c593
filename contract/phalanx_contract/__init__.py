"""What operator and worker say to each other: the plan, metric names, conditions, the worker's report.

Small and typed, with no torch, no Kubernetes client and no IO. Either side can be replaced by anything that
keeps to these documents.
"""

from phalanx_contract.errors import ContractError, FieldError, IntegrityError
from phalanx_contract.plan import (
    Adapter,
    ApiKey,
    Artifact,
    Candidate,
    Cut,
    Ensemble,
    Plan,
    PlanHash,
    encode_plan,
    hash_plan,
    parse_plan,
)
from phalanx_contract.wire import pack, unpack

__all__ = [
    "Adapter",
    "ApiKey",
    "Artifact",
    "Candidate",
    "ContractError",
    "Cut",
    "Ensemble",
    "FieldError",
    "IntegrityError",
    "Plan",
    "PlanHash",
    "encode_plan",
    "hash_plan",
    "pack",
    "parse_plan",
    "unpack",
]
