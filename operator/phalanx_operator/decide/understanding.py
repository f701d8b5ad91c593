"""What the oldest worker of a pool understands of a plan. Pure.

During an upgrade workers of two releases run, and a pool may name an image of an earlier one for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from phalanx_contract.plan import Plan
from phalanx_contract.revisions import PLAN_REVISION, withheld, within
from phalanx_operator.decide.types import WorkerView


@dataclass(frozen=True, slots=True)
class Withheld:
    """Ensembles that something is left out of, and one of the workers that it is left out for."""

    ensembles: frozenset[str] = frozenset()
    worker: str = ""


NOTHING: Final = Withheld()


def learn(workers: Iterable[WorkerView], known: Mapping[str, int]) -> dict[str, int]:
    """The revision that each worker reads, by name; one that does not answer now reads what it did before.

    A worker that never answered is left out. It may be older than the others: it says so as soon as it runs, also
    where it has refused its first plan.
    """
    reported = {worker.name: worker.report.plan_revision if worker.report else None for worker in workers}
    learned = {name: known.get(name) if revision is None else revision for name, revision in reported.items()}
    return {name: revision for name, revision in learned.items() if revision is not None}


def for_all(plan: Plan, revisions: Mapping[str, int]) -> tuple[Plan, Withheld]:
    """The plan in words that all workers read, and what that leaves out."""
    oldest = min(revisions, key=lambda name: (revisions[name], name), default="")
    revision = revisions.get(oldest, PLAN_REVISION)
    lost = withheld(plan, revision)
    return within(plan, revision), Withheld(lost, oldest) if lost else NOTHING
