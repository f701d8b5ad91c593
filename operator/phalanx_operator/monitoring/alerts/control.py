"""Alerts on what serves: workers, artifacts, plans, metrics, the operator itself. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_contract.conditions import ConditionType, Reason
from phalanx_operator.decide.types import DecisionReason
from phalanx_operator.monitoring.alerts.alert import Alert
from phalanx_operator.monitoring.promql import increase, select
from phalanx_operator.monitoring.series import LEADER, ROUND_SECONDS, ROUNDS
from phalanx_operator.reconcile import census

_WHO: Final = "{{ $labels.namespace }}/{{ $labels.name }}"


_OFF: Final = "max by (namespace, pool) (" + select(census.REPLICAS, 'state="wanted"') + ") == 0"
_SWITCHED_OFF: Final = f'label_replace({_OFF}, "name", "$1", "pool", "(.+)")'
"""Pools that are scaled to 0 on purpose."""
_NO_WORKERS: Final = "NoWorkers|Workers.+"
"""Reasons of an ensemble's condition that are its pool's."""


_GIVEN_UP: Final = select(census.CONDITION, f'type="{ConditionType.DISTILLED}",reason="{Reason.DISTILLATION_FAILED}"')


def _pool_lacks(condition: ConditionType) -> str:
    """Pools in which a condition does not hold; a change of its reason begins nothing anew."""
    series = select(census.CONDITION, f'kind="ServingPool",type="{condition}"')
    return f"(max by (namespace, name) ({series}) == 0) unless on (namespace, name) {_SWITCHED_OFF}"


def _ensemble_lacks(condition: ConditionType) -> str:
    """Ensembles in which a condition does not hold, though there are workers."""
    series = select(census.CONDITION, f'kind="StudentEnsemble",type="{condition}",reason!~"{_NO_WORKERS}"')
    return f"max by (namespace, name) ({series}) == 0"


ALERTS: Final = (
    Alert(
        name="PhalanxWorkersNotAvailable",
        expr=_pool_lacks(ConditionType.AVAILABLE),
        hold="5m",
        severity="critical",
        summary=f"Pool {_WHO} lacks workers",
        description=f"For 5 minutes pool {_WHO} has fewer ready workers than it needs. See why: kubectl describe pool "
        "{{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "The condition `Available` says whether workers cannot be scheduled, crash, or start slowly "
            "(docs/conditions.md).",
            "`WorkersUnschedulable`: free a GPU or add nodes. `WorkersCrashing`: `kubectl logs POD --previous`.",
            "No pods at all: the Deployment's events tell of quota or admission: `kubectl describe deployment POOL`.",
        ),
    ),
    Alert(
        name="PhalanxPoolAtMaximum",
        expr="max by (namespace, name) (" + select(census.DECISION, f'reason="{DecisionReason.AT_MAX_REPLICAS}"') + ") "
        "== 1",
        hold="30m",
        severity="warning",
        summary=f"Pool {_WHO} needs more workers than it may have",
        description=f"For 30 minutes the load of {_WHO} has needed more workers than spec.replicas.max; meanwhile "
        "students stay "
        "dropped. See the numbers: kubectl phalanx recommend pool/{{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "Raise `spec.replicas.max`, if there are GPUs to be had.",
            "Or leave it: answers stay within the accuracy budget, and what that cannot pay for is refused with 429.",
        ),
    ),
    Alert(
        name="PhalanxPlanNotServed",
        expr=_pool_lacks(ConditionType.PLAN_SERVED),
        hold="10m",
        severity="warning",
        summary=f"Workers of pool {_WHO} do not serve the current plan",
        description=f"For 10 minutes workers of {_WHO} serve an older plan, so changes do not reach users. See which: "
        "kubectl "
        "describe pool {{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "The message of `PlanServed` counts the workers and quotes the plan error of one.",
            "Is the kubelet slow to sync ConfigMaps? `kubectl exec POD -- ls -l /etc/phalanx/plan` against the pool's "
            "ConfigMaps; a worker that is stuck is replaced by `kubectl phalanx drain pool/POOL --worker POD`.",
        ),
    ),
    Alert(
        name="PhalanxPlanErrors",
        expr=f"{increase(worker.PLAN_ERRORS, window='15m', by='namespace, pod')} > 0",
        hold="5m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.pod }} refuses plans",
        description="A worker refused a plan as torn or invalid in the last 15 minutes and serves the one before. Its "
        "log names "
        "the field: kubectl logs {{ $labels.pod }} -n {{ $labels.namespace }}",
        steps=(
            "A worker older than the operator may not know a new plan's format: bring its image up to date.",
            "Somebody edited the plan's ConfigMaps: the operator writes them again within minutes.",
        ),
    ),
    Alert(
        name="PhalanxArtifactNotLoaded",
        expr=_ensemble_lacks(ConditionType.LOADED),
        hold="15m",
        severity="warning",
        summary=f"Workers do not hold the artifact of {_WHO}",
        description=f"For 15 minutes the artifact that {_WHO} names is not on all workers; what they had before goes "
        "on "
        "serving. See why: kubectl phalanx explain ens/{{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "The message of `Loaded` begins with the field to change; docs/conditions.md has a step for each reason.",
            "Back to the artifact before: put its URI and digest into the spec; nothing restarts.",
        ),
    ),
    Alert(
        name="PhalanxDistillationFailed",
        expr=f"max by (namespace, name) ({_GIVEN_UP}) == 0",
        hold="5m",
        severity="warning",
        summary=f"The distillation of {_WHO} was given up",
        description=f"The Job that distils {_WHO} has failed with all its retries and is not run again by itself; what "
        "served before goes on. See why: kubectl phalanx explain ens/{{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "The message of `Distilled` has the last words of the Job's pod, such as the setting that has a bad value.",
            "Change `spec.distill`; other `resources` go on from the snapshots of the tries before. Where the spec was "
            "not at fault, raise `spec.distill.attempt`.",
        ),
    ),
    Alert(
        name="PhalanxMetricsHeld",
        expr=_pool_lacks(ConditionType.METRICS_AVAILABLE),
        hold="10m",
        severity="warning",
        summary=f"Pool {_WHO} is steered without metrics",
        description=f"For 10 minutes the operator has no usable metrics of {_WHO}: students and replicas stay as they "
        "are, "
        "whatever the load. See what is missing: kubectl describe pool {{ $labels.name }} -n {{ $labels.namespace }}",
        steps=(
            "`MetricsUnreachable`: is Prometheus up, and `spec.metrics.prometheus.url` right? Without Prometheus the "
            "operator "
            "reads the pods itself: leave the field out.",
            "`MetricsUnauthorized`, `MetricsIncomplete`: the message names the Secret, the certificate or the part "
            "of the data that is missing.",
            "`MetricsMissing`, `MetricsStale`: does Prometheus scrape the workers, with labels `namespace` and `pod`? "
            "Its "
            "targets page tells; `metrics.podMonitor.enabled` of the chart makes it so.",
            "The workers' own burst guard needs no metrics and still drops students within the plan's bounds.",
        ),
    ),
    Alert(
        name="PhalanxOperatorDown",
        expr=f"absent({ROUND_SECONDS.exposed}_count)",
        hold="5m",
        severity="critical",
        summary="Prometheus sees no Phalanx operator",
        description="For 5 minutes no operator has been scraped. Workers go on with their plan, but nothing is adapted "
        "or "
        "repaired, and the other alerts on conditions are blind: kubectl get pods -A -l "
        "app.kubernetes.io/name=phalanx-operator",
        steps=(
            "Does it run? `kubectl get pods -A -l app.kubernetes.io/name=phalanx-operator`, then its log.",
            "It runs: does Prometheus scrape it? `metrics.serviceMonitor.enabled` of the chart, or a scrape job for "
            "its Service.",
        ),
    ),
    Alert(
        name="PhalanxOperatorLacksLeader",
        expr=f"max({select(LEADER)}) == 0",
        hold="2m",
        severity="critical",
        summary="No replica of the Phalanx operator leads",
        description="For 2 minutes every replica of the operator has stood by, so nothing is adapted or repaired; "
        "workers go on with their plan. Their logs, in the release's namespace, say what the lease lacks: kubectl logs "
        "-n phalanx-system -l app.kubernetes.io/name=phalanx-operator --prefix",
        steps=(
            "Does the API server answer? Without it no lease can be renewed, and the leader stands down by itself.",
            "403 on `leases`: the Role of the release's namespace is missing or older; upgrade the chart with "
            "`rbac.create`.",
            "Who holds the lease? `kubectl get lease -A`; one that was deleted comes back after 15 s.",
        ),
    ),
    Alert(
        name="PhalanxOperatorRoundsFail",
        expr=increase(ROUNDS, 'result="failed"', window="15m", by="namespace, pod") + " > 3",
        hold="10m",
        severity="warning",
        summary="The operator fails to reconcile pools",
        description="{{ $value | humanize }} rounds failed in 15 minutes; those pools are not adapted. The operator's "
        "log names "
        "them: kubectl logs {{ $labels.pod }} -n {{ $labels.namespace }}",
        steps=(
            "The log has one line for each failure with the API server's words; the pool has an event `RoundFailed`, "
            "and what is refused for good is in its condition `Applied`.",
            "403: the operator's role does not fit its version; upgrade the chart with `rbac.create`.",
            "422 or an admission webhook's refusal: the message names the field or the policy.",
        ),
    ),
)
