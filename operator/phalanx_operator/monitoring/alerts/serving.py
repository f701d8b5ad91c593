"""Alerts on what users get: latency, refusals, failures, accuracy, tenants. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_contract.conditions import Reason
from phalanx_operator.decide.types import DecisionReason
from phalanx_operator.monitoring.alerts.alert import Alert
from phalanx_operator.monitoring.promql import BY_ENSEMBLE, increase, quantile, rate, select
from phalanx_operator.reconcile import census

_MISSED: Final = (
    f"{quantile(0.99, worker.REQUEST_SECONDS, window='5m')}"
    f" > on ({BY_ENSEMBLE}) max by ({BY_ENSEMBLE}) ({select(census.OBJECTIVE)})"
)
_FLOOR: Final = select(census.DECISION, f'reason="{DecisionReason.AT_FLOOR}"')
_AT_FLOOR: Final = f'label_replace(max by (namespace, name) ({_FLOOR}), "ensemble", "$1", "name", "(.+)")'
_ALL: Final = rate(worker.REQUESTS, window="5m", by=BY_ENSEMBLE)
_FAILED: Final = rate(worker.REQUESTS, 'code=~"5.."', window="5m", by=BY_ENSEMBLE)
_SHED: Final = rate(worker.SHED, window="5m", by=BY_ENSEMBLE)
_UNSERVED: Final = select(census.ADAPTERS, f'reason!~"{Reason.SERVING}|{Reason.PLAN_PENDING}"')
_WHO: Final = "{{ $labels.namespace }}/{{ $labels.ensemble }}"
_EXPLAIN: Final = "kubectl phalanx explain ens/{{ $labels.ensemble }} -n {{ $labels.namespace }}"

ALERTS: Final = (
    Alert(
        name="PhalanxObjectiveMissed",
        expr=_MISSED,
        hold="15m",
        severity="warning",
        summary=f"{_WHO} misses its latency objective",
        description=f"The p99 of {_WHO} is {{{{ $value | humanizeDuration }}}}, above the objective of its pool, for "
        "15 "
        f"minutes. See why: {_EXPLAIN}",
        steps=(
            "`kubectl phalanx explain ens/NAME` says what the operator decided last and why. While it still lowers the "
            "number of students, wait: each change needs a window of the metrics to show.",
            "Is the engine busy (dashboard, *Busy share*)? Then the pool needs more workers, or a lower "
            "`spec.students.min`, or a larger `spec.accuracy.burstLoss`.",
            "Is it not? Then texts wait for something else: look at *Time of a batch* and *Wait for a batch*, and "
            "whether "
            "another process takes the device or the CPU.",
            "An objective below the time of a single batch cannot be met: raise `spec.objective.p99` of the pool.",
        ),
    ),
    Alert(
        name="PhalanxObjectiveMissedAtFloor",
        expr=f"({_MISSED}) and on ({BY_ENSEMBLE}) {_AT_FLOOR}",
        hold="10m",
        severity="critical",
        summary=f"{_WHO} misses its latency objective with the fewest students allowed",
        description=f"The p99 of {_WHO} is {{{{ $value | humanizeDuration }}}} and no student is left to drop: add "
        "workers "
        f"to its pool. What would help: {_EXPLAIN}",
        steps=(
            "Add workers: raise `spec.replicas.max` of the pool, and `spec.replicas.count` where no autoscaler writes "
            "it.",
            "If there are no more GPUs: lower `spec.students.min`, or raise `spec.accuracy.burstLoss`, and answers get "
            "faster and a little less accurate. `kubectl phalanx explain` says which of the two binds.",
            "If load has to wait: let callers back off on 429 and Retry-After; limit single tenants by "
            "`spec.rateLimit.tokensPerSecond` of their TenantAdapter.",
        ),
    ),
    Alert(
        name="PhalanxRequestsShed",
        expr=f"{_SHED} / on ({BY_ENSEMBLE}) ({_ALL} > 0) > 0.01",
        hold="5m",
        severity="critical",
        summary=f"{_WHO} refuses requests",
        description=f"{{{{ $value | humanizePercentage }}}} of the texts for {_WHO} are refused with 429 for 5 "
        "minutes: "
        f"its workers cannot keep up even with the fewest students. Add workers to its pool; {_EXPLAIN}",
        steps=(
            "Add workers (`spec.replicas` of the pool), or see why those there are do not serve: `kubectl phalanx "
            "status`.",
            "Is *Accuracy budget left* at 0? Then the budget keeps the students from falling further: raise "
            "`spec.accuracy.burstLoss`, or accept the refusals.",
            "Is it one tenant's load? Set `spec.rateLimit.tokensPerSecond` of its TenantAdapter.",
        ),
    ),
    Alert(
        name="PhalanxRequestsFail",
        expr=f"{_FAILED} / on ({BY_ENSEMBLE}) ({_ALL} > 0) > 0.01",
        hold="5m",
        severity="critical",
        summary=f"{_WHO} fails requests",
        description=f"{{{{ $value | humanizePercentage }}}} of the texts for {_WHO} are answered with a 5xx status for "
        "5 "
        "minutes. Read the workers' logs: kubectl logs -n {{ $labels.namespace }} -l "
        "app.kubernetes.io/name=phalanx-worker",
        steps=(
            "Read the workers' logs: `kubectl logs -l phalanx.dev/pool=POOL --tail=100`.",
            "A worker whose device failed becomes unready by itself. For one that does not: `kubectl phalanx drain "
            "pool/POOL --worker POD` replaces it.",
            "503 while workers start or drain is passing; callers retry it.",
        ),
    ),
    Alert(
        name="PhalanxAccuracyBudgetSpent",
        expr=f"min by ({BY_ENSEMBLE}) ({select(worker.ACCURACY_BUDGET_LEFT)}) < 0.05",
        hold="15m",
        severity="warning",
        summary=f"{_WHO} has spent its accuracy budget",
        description=f"For 15 minutes a worker of {_WHO} has less than 5 % of its burst budget left, so more students "
        "have to "
        "answer and requests may be refused: add workers, or raise spec.accuracy.burstLoss",
        steps=(
            "The load stays where a burst was expected to pass: add workers to the pool.",
            "Or allow more: raise `spec.accuracy.burstLoss`. `phalanx inspect` shows what each number of students "
            "costs.",
        ),
    ),
    Alert(
        name="PhalanxAdapterLoadsFail",
        expr=increase(worker.ADAPTER_LOADS, 'result="failed"', window="15m", by="namespace, pod") + " > 0",
        hold="5m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.pod }} fails to load adapters",
        description="A worker failed to load an adapter in the last 15 minutes; its tenant is not served there. Find "
        "it: "
        "kubectl phalanx status -n {{ $labels.namespace }}",
        steps=(
            "`kubectl phalanx status` lists the adapters that are not ready first, with the field to change.",
            "`kubectl get ta -o wide` has the messages; docs/conditions.md has a next step for each reason.",
        ),
    ),
    Alert(
        name="PhalanxTenantsNotServed",
        expr=f"sum by ({BY_ENSEMBLE}) (max by ({BY_ENSEMBLE}, reason) ({_UNSERVED})) > 0",
        hold="15m",
        severity="warning",
        summary=f"Tenants of {_WHO} are not served",
        description=f"{{{{ $value }}}} TenantAdapters of {_WHO} are not ready for 15 minutes. Which and why: kubectl "
        "phalanx "
        "status -n {{ $labels.namespace }}",
        steps=(
            "`kubectl phalanx status` lists them with their reason and the field to change.",
            "If all tenants of an ensemble are concerned, it is the ensemble: `kubectl phalanx explain ens/NAME`.",
        ),
    ),
)
