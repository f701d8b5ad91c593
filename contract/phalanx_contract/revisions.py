"""Which words of a plan came with which release, so that a plan is written in words that its workers know.

A worker refuses a plan with a key that it does not know and goes on with the one that it has: what a key says may be
what keeps a tenant's data from others, so none can be passed over. But one that restarts has no other plan. So
workers report the latest revision that they read, and the operator leaves out what the oldest of them does not know.
"""

from __future__ import annotations

from typing import Final

import msgspec

from phalanx_contract.plan import Plan

FIRST_REVISION: Final = 1
"""Read by workers that report none (0.1.0)."""
PLAN_REVISION: Final = 2
"""Of this release. 2 added `candidate` and `alone` of ensembles."""
CANDIDATES_SINCE: Final = 2
"""The first revision in which a worker can be told of a candidate."""


def within(plan: Plan, revision: int) -> Plan:
    """The plan without what came after `revision`. It serves the same artifacts to the same tenants."""
    if revision >= PLAN_REVISION or not withheld(plan, revision):
        return plan
    return msgspec.structs.replace(
        plan, ensembles=tuple(msgspec.structs.replace(each, candidate=None, alone=()) for each in plan.ensembles)
    )


def withheld(plan: Plan, revision: int) -> frozenset[str]:
    """Names of the ensembles that lose something in that revision."""
    if revision >= PLAN_REVISION:
        return frozenset()
    return frozenset(each.name for each in plan.ensembles if each.candidate is not None or each.alone)
