"""Findings on one ensemble or adapter: do all workers hold its artifact, and serve it as the plan has it?

Each looks at its own share of the plan: that another model's cut moved does not make this one unready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_contract.worker import LoadReason, LoadState
from phalanx_operator.decide.conditions import Finding
from phalanx_operator.decide.nextsteps import field_of, step_of
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.decide.view import PoolView, report_of
from phalanx_operator.decide.workers import absent


@dataclass(frozen=True, slots=True)
class Held:
    """How one item stands in one worker."""

    state: LoadState
    reason: LoadReason = LoadReason.NONE
    message: str = ""
    field: str = ""


def ensemble_in(worker: WorkerView, name: str, digest: str) -> Held:
    """An ensemble counts as serving only with the artifact that the spec names."""
    report = report_of(worker, name)
    if report is None or report.wanted_digest != digest:
        return Held(LoadState.LOADING)
    if report.state is LoadState.SERVING and report.digest != digest:
        return Held(LoadState.LOADING)
    return Held(report.state, report.reason, report.message, report.field)


def adapter_in(view: PoolView, worker: WorkerView, ensemble: str, name: str, digest: str) -> Held:
    """Workers report just the adapters of their plan that they do not serve."""
    report = view.adapters.get(worker.name, {}).get((ensemble, name))
    if report is not None and report.digest == digest:
        return Held(report.state, report.reason, report.message)
    content = view.content_of(worker)
    entry = content.adapters.get((ensemble, name)) if content else None
    base = report_of(worker, ensemble)
    served = entry is not None and entry.artifact.digest == digest and base is not None
    if served and base is not None and base.state is LoadState.SERVING:
        return Held(LoadState.SERVING)
    return Held(LoadState.LOADING)


Absence = Callable[[PoolView], tuple[Reason, str]]
"""What is said where no worker is there to ask."""


def loaded(view: PoolView, held_in: Callable[[WorkerView], Held], *, absent: Absence = absent) -> Finding:
    """Whether all workers that report hold the item. One that failed anywhere is named, with what to do."""
    reporting = [worker for worker in view.workers if worker.report and not worker.report.draining]
    if not reporting:
        reason, message = absent(view)
        return Finding(ConditionType.LOADED, ConditionStatus.UNKNOWN, reason, message)
    held = [held_in(worker) for worker in reporting]
    failed = [each for each in held if each.state is LoadState.FAILED]
    if failed:
        return _failed(failed, len(held))
    serving = sum(each.state is LoadState.SERVING for each in held)
    if serving < len(held):
        message = f"{serving} of {len(held)} workers hold the artifact"
        return Finding(ConditionType.LOADED, ConditionStatus.FALSE, Reason.LOADING, message)
    message = f"all {len(held)} workers hold the artifact"
    return Finding(ConditionType.LOADED, ConditionStatus.TRUE, Reason.SERVING, message)


def served(view: PoolView, same_in: Callable[[WorkerView], bool], *, absent: Absence = absent) -> Finding:
    """Whether all ready workers serve the item as the current plan has it."""
    ready = view.ready_workers()
    if not ready:
        reason, message = absent(view)
        return Finding(ConditionType.PLAN_SERVED, ConditionStatus.FALSE, reason, message)
    same = sum(map(same_in, ready))
    message = f"{same} of {len(ready)} ready workers serve it as the plan has it"
    if same < len(ready):
        return Finding(ConditionType.PLAN_SERVED, ConditionStatus.FALSE, Reason.PLAN_PENDING, message)
    return Finding(ConditionType.PLAN_SERVED, ConditionStatus.TRUE, Reason.PLAN_CURRENT, message)


def same_ensemble(view: PoolView, worker: WorkerView, name: str) -> bool:
    """Whether the worker's plan has the ensemble with the same artifact and cut as the current one."""
    content = view.content_of(worker)
    wanted = view.current.ensembles.get(name)
    return content is not None and wanted is not None and content.ensembles.get(name) == wanted


def same_adapter(view: PoolView, worker: WorkerView, ensemble: str, name: str) -> bool:
    """Whether the worker's plan has the adapter as the current one does."""
    content = view.content_of(worker)
    wanted = view.current.adapters.get((ensemble, name))
    return content is not None and wanted is not None and content.adapters.get((ensemble, name)) == wanted


def _failed(failed: Iterable[Held], workers: int) -> Finding:
    ordered = sorted(failed, key=lambda each: (each.reason, each.message))
    worst = ordered[0]
    where = "" if len(ordered) == workers else f" (on {len(ordered)} of {workers} workers)"
    field = worst.field or field_of(worst.reason)
    message = f"{field}: {worst.message or worst.reason}{where}; {step_of(worst.reason)}"
    return Finding(ConditionType.LOADED, ConditionStatus.FALSE, worst.reason or Reason.UNKNOWN, message)
