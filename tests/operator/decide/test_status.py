"""Statuses say what the workers serve and report, and change only when that does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from phalanx_contract.conditions import Reason
from phalanx_contract.plan import Cut, Plan, hash_plan
from phalanx_contract.worker import AdapterReport, EnsembleReport, LoadReason, LoadState, WorkerStatus
from phalanx_operator.api.issues import SpecError, SpecIssue
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_meta, parse_pool
from phalanx_operator.api.schema.crd import object_schema
from phalanx_operator.decide.accept import VALID
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.plan import compose_plan
from phalanx_operator.decide.restore import restore_exits, restore_students
from phalanx_operator.decide.status import adapter_status, decision_status, ensemble_status, pool_status, refused_status
from phalanx_operator.decide.types import (
    Action,
    Decision,
    DecisionReason,
    Deployed,
    ExitsState,
    Missed,
    Observation,
    RolloutState,
    StudentsState,
    WorkerView,
)
from phalanx_operator.decide.view import PoolView, facts_of
from phalanx_operator.reconcile.reporting import turns
from tests.operator import objects
from tests.operator.objects import DIGEST

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
OTHER = "sha256:" + "b" * 64
POOL = parse_pool(objects.pool(replicas={"min": 2, "max": 2}))
MODEL = parse_ensemble(objects.ensemble())
TENANT = parse_adapter(objects.adapter())


def plan(cut: Cut | None = None, *, tenants=(TENANT,)) -> Plan:
    return compose_plan(
        POOL,
        ensembles=[MODEL],
        adapters=tenants,
        verdicts={"sentiment": VALID},
        adapter_verdicts={each.meta.key.name: VALID for each in tenants},
        cuts={"sentiment": cut} if cut else {},
        rollouts={},
        api_keys={},
    )


PLAN = plan()
SERVING = EnsembleReport(
    name="sentiment",
    wanted_digest=DIGEST,
    digest=DIGEST,
    state=LoadState.SERVING,
    students=4,
    rows=2,
    ramps=1,
    classes=2,
    agreement=(0.9, 0.95, 0.98, 1.0),
)
FAILED = EnsembleReport(
    name="sentiment",
    wanted_digest=DIGEST,
    state=LoadState.FAILED,
    field="spec.artifact.digest",
    reason=LoadReason.DIGEST_MISMATCH,
    message="manifest.json has another digest",
)
LOADING = EnsembleReport(name="sentiment", wanted_digest=DIGEST, state=LoadState.LOADING)


def worker(name: str, report: EnsembleReport = SERVING, *, served: Plan = PLAN, ready=True, adapters=()) -> WorkerView:
    status = WorkerStatus(plan=hash_plan(served), ready=ready, ensembles=(report,), adapters=adapters)
    return WorkerView(name=name, ready=ready, report=status)


def view(*workers: WorkerView, current: Plan = PLAN, recent: tuple[Plan, ...] = (), wanted: int = 2) -> PoolView:
    return PoolView.of(
        wanted=wanted,
        workers=workers,
        plan=current,
        plan_hash=hash_plan(current),
        recent={hash_plan(each): each for each in recent},
    )


def stay(state: Any) -> Decision[Any]:
    return Decision(state=state, action=Action.STAY, reason=DecisionReason.AT_CEILING, message="all")


SETTLED = stay(RolloutState(serving=MODEL.artifact, students=4))


def ensemble(
    seen: PoolView, *, previous=None, now=NOW, state: StudentsState | None = None, rollout=SETTLED
) -> dict[str, Any]:
    return ensemble_status(
        MODEL,
        view=seen,
        cut=seen.current.ensembles["sentiment"].cut,
        students=stay(state or StudentsState(digest=DIGEST)),
        exits=stay(ExitsState(digest=DIGEST)),
        rollout=rollout,
        sight=Sight.of(seen.workers, "sentiment", wanted=MODEL.artifact, serving=rollout.state.serving),
        since=NOW,
        previous=previous or {},
        now=now,
    )


def pool(seen: PoolView, *, of=POOL, observation: Observation | None = None, previous=None, now=NOW) -> dict[str, Any]:
    return pool_status(
        of,
        view=seen,
        selector="a=b",
        observation=observation or Observation(at=0.0, workers=2),
        replicas=stay(2),
        previous=previous or {},
        now=now,
        now_s=1.0,
    )


def condition(status: dict[str, Any], kind: str) -> tuple[str, str, str]:
    found = {each["type"]: each for each in status["conditions"]}[kind]
    return found["status"], found["reason"], found["message"]


def fits(kind: str, status: dict[str, Any]) -> None:
    jsonschema.Draft4Validator(object_schema(kind)["properties"]["status"]).validate(status)


def test_all_is_ready_when_all_workers_serve_the_current_plan():
    seen = view(worker("a"), worker("b"))
    for kind, status in (
        ("ServingPool", pool(seen)),
        ("StudentEnsemble", ensemble(seen)),
        ("TenantAdapter", adapter_status(TENANT, view=seen, previous={}, now=NOW)),
    ):
        fits(kind, status)
        assert condition(status, "Ready")[0] == "True", (kind, status)
    assert ensemble(seen)["workers"] == {"ready": 2, "total": 2}
    assert ensemble(seen)["artifact"] == {"wanted": DIGEST, "digest": DIGEST, "rows": 2, "ramps": 1, "classes": 2}


@pytest.mark.parametrize("report", [FAILED, LOADING])
def test_an_artifact_that_one_worker_lacks_makes_the_ensemble_unready(report):
    status = ensemble(view(worker("a"), worker("b", report)))
    fits("StudentEnsemble", status)
    assert condition(status, "Ready")[:2] == ("False", "NotLoaded")
    assert status["workers"] == {"ready": 1, "total": 2}


def test_a_load_failure_names_the_field_the_cause_and_the_next_step():
    state, reason, message = condition(ensemble(view(worker("a", FAILED), worker("b"))), "Loaded")
    assert (state, reason) == ("False", "DigestMismatch")
    assert message.startswith("spec.artifact.digest: manifest.json has another digest")
    assert "on 1 of 2 workers" in message
    assert "phalanx inspect" in message


def test_a_failed_ensemble_leaves_the_pool_and_its_neighbours_ready():
    assert condition(pool(view(worker("a", FAILED), worker("b", FAILED))), "Ready")[0] == "True"


def test_an_older_artifact_that_still_answers_is_not_the_one_wanted():
    old = EnsembleReport(name="sentiment", wanted_digest=DIGEST, digest=OTHER, state=LoadState.SERVING, students=9)
    assert condition(ensemble(view(worker("a", old))), "Loaded")[:2] == ("False", "Loading")
    assert facts_of([worker("a", old)], ensemble="sentiment", digest=DIGEST) is None


def test_a_worker_on_an_older_plan_makes_the_pool_unready():
    older = plan(Cut(students_floor=2))
    status = pool(view(worker("a"), worker("b", served=older), recent=(older,)))
    assert condition(status, "Ready")[:2] == ("False", "PlanPending")
    assert "1 of 2" in condition(status, "PlanServed")[2]


def test_an_older_cut_makes_its_ensemble_unready_and_not_its_tenants():
    older = plan(Cut(students_floor=2))
    seen = view(worker("a"), worker("b", served=older), recent=(older,))
    assert condition(ensemble(seen), "Ready")[:2] == ("False", "PlanPending")
    assert condition(adapter_status(TENANT, view=seen, previous={}, now=NOW), "Ready")[0] == "True"


def test_a_new_tenant_leaves_its_ensemble_ready():
    older = plan(tenants=())
    seen = view(worker("a", served=older), recent=(older,))
    assert condition(ensemble(seen), "Ready")[0] == "True"
    assert condition(adapter_status(TENANT, view=seen, previous={}, now=NOW), "Ready")[:2] == ("False", "NotLoaded")


def test_an_unknown_plan_counts_as_not_served():
    seen = view(worker("a", served=plan(Cut(students_floor=3))))
    assert condition(ensemble(seen), "PlanServed")[:2] == ("False", "PlanPending")


def test_an_adapter_that_failed_says_why():
    report = AdapterReport(
        ensemble="sentiment",
        name="acme",
        digest=DIGEST,
        state=LoadState.FAILED,
        reason=LoadReason.BASE_MISMATCH,
        message="it was trained on another artifact",
    )
    status = adapter_status(TENANT, view=view(worker("a", adapters=(report,))), previous={}, now=NOW)
    fits("TenantAdapter", status)
    state, reason, message = condition(status, "Loaded")
    assert (state, reason) == ("False", "BaseMismatch")
    assert message.startswith("spec.artifact: it was trained on another artifact")


@pytest.mark.parametrize(
    ("workers", "wanted", "reason"),
    [
        ((), 2, Reason.NO_WORKERS),
        ((), 0, Reason.NO_WORKERS),
        ((WorkerView(name="a", ready=False),), 2, Reason.WORKERS_STARTING),
        (
            (WorkerView(name="a", ready=False, problem=Reason.WORKERS_UNSCHEDULABLE, message="no GPU"),),
            2,
            Reason.WORKERS_UNSCHEDULABLE,
        ),
        (
            (WorkerView(name="a", ready=False, problem=Reason.WORKERS_CRASHING, message="exit 1"),),
            2,
            Reason.WORKERS_CRASHING,
        ),
    ],
)
def test_without_workers_nothing_is_ready_and_the_reason_says_why(workers, wanted, reason):
    seen = view(*workers, wanted=wanted)
    assert condition(pool(seen), "Available")[:2] == ("False", reason)
    assert condition(pool(seen), "Ready")[:2] == ("False", "NotAvailable")
    assert condition(ensemble(seen), "Loaded")[:2] == ("Unknown", reason)
    assert condition(ensemble(seen), "Ready")[0] != "True"
    fits("ServingPool", pool(seen))


def test_tenants_refer_to_what_their_pool_tells_of_its_workers_whatever_it_is():
    starting = view(WorkerView(name="a", ready=False), wanted=2)
    stuck = view(WorkerView(name="a", ready=False, problem=Reason.WORKERS_UNSCHEDULABLE, message="no GPU"), wanted=2)
    status = adapter_status(TENANT, view=starting, previous={}, now=NOW)
    assert condition(status, "Loaded")[:2] == ("Unknown", "PoolNotAvailable")
    assert condition(status, "Ready")[0] != "True"
    assert "ServingPool gpus is ready; its condition Available says why" in condition(status, "Loaded")[2]
    status.pop("workers")
    again = adapter_status(TENANT, view=stuck, previous=status, now="2030-01-01T00:00:00Z")
    assert again["conditions"] == status["conditions"]
    serving = adapter_status(TENANT, view=view(worker("a")), previous=status, now=NOW)
    assert condition(serving, "Ready")[0] == "True"
    for before, after in (({}, status), (serving, status), (status, serving)):
        assert not list(turns(before, after)), "the pool's own event tells it once"


def test_a_rolling_update_leaves_the_pool_available_and_ready():
    status = pool(replace(view(worker("a"), WorkerView(name="b", ready=False)), deployed=Deployed(outdated=1)))
    fits("ServingPool", status)
    assert condition(status, "Available")[0] == condition(status, "Ready")[0] == "True"
    state, reason, message = condition(status, "Complete")
    assert (state, reason) == ("Unknown", "WorkersUpdating")
    assert message == "1 of 2 workers are ready, 1 have an earlier template"


@pytest.mark.parametrize(
    ("trouble", "deployed", "reason", "says"),
    [
        (
            {"problem": Reason.IMAGE_NOT_PULLED, "message": "image w:2 ..."},
            Deployed(outdated=1),
            "ImageNotPulled",
            "w:2",
        ),
        ({"problem": Reason.WORKERS_CRASHING, "message": "exit 1"}, Deployed(outdated=1), "WorkersCrashing", "exit 1"),
        ({"problem": Reason.WORKERS_UNSCHEDULABLE, "message": "no GPU"}, Deployed(), "WorkersUnschedulable", "no GPU"),
        ({}, Deployed(outdated=1, stuck="no progress"), "UpdateStuck", "no progress"),
        ({}, Deployed(refused="exceeded quota"), "PodsRefused", "exceeded quota"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_worker_that_does_not_come_is_told_though_the_others_are_enough(trouble, deployed, reason, says):
    seen = replace(view(worker("a"), WorkerView(name="b", ready=False, **trouble)), deployed=deployed)
    status = pool(seen)
    assert condition(status, "Available")[0] == "True"
    state, told, message = condition(status, "Complete")
    assert (state, told) == ("False", reason)
    assert says in message and message.endswith("; 1 ready ones go on serving")
    assert condition(status, "Ready")[:2] == ("False", "NotComplete")
    assert condition(ensemble(seen), "Ready")[0] == "True"
    (event,) = [note for note in turns(pool(view(worker("a"), worker("b"))), status) if note.action == "CheckComplete"]
    assert (event.reason, event.warning) == (reason, True)


def test_a_pod_that_waits_for_its_turn_is_no_failure():
    waiting = WorkerView(name="b", ready=False, problem=Reason.WORKERS_UNSCHEDULABLE, message="no GPU", lasts=False)
    assert condition(pool(view(worker("a"), waiting)), "Complete")[:2] == ("Unknown", "WorkersUpdating")


def test_a_rollout_that_was_slow_and_is_done_is_complete():
    seen = replace(view(worker("a"), worker("b")), deployed=Deployed(stuck="no progress"))
    assert condition(pool(seen), "Complete")[:2] == ("True", "WorkersComplete")


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (Observation(at=None, workers=0, problem="no worker is ready"), Reason.METRICS_MISSING),
        (Observation(at=-100.0, workers=2), Reason.METRICS_STALE),
        (Observation(at=0.0, workers=2), Reason.METRICS_FRESH),
    ],
)
def test_missing_metrics_are_a_condition_and_not_unreadiness(observation, reason):
    status = pool(view(worker("a"), worker("b")), observation=observation)
    assert condition(status, "MetricsAvailable")[1] == reason
    assert condition(status, "Ready")[0] == "True"


@pytest.mark.parametrize("fault", [Reason.METRICS_UNREACHABLE, Reason.METRICS_UNAUTHORIZED, Reason.METRICS_INCOMPLETE])
def test_what_keeps_prometheus_from_answering_is_named(fault):
    observation = Observation(at=None, workers=0, problem="Prometheus at http://p:9090: refused", fault=fault)
    said = condition(pool(view(worker("a")), observation=observation), "MetricsAvailable")
    message = "Prometheus at http://p:9090: refused; what was decided before stays in force"
    assert said == ("False", fault, message)


def test_a_paused_pool_says_so():
    assert condition(pool(view(worker("a"), worker("b")), of=replace(POOL, paused=True)), "Ready")[1] == "Paused"


def test_a_status_does_not_change_while_nothing_does():
    seen = view(worker("a"), worker("b"))
    assert ensemble(seen, previous=ensemble(seen), now=LATER) == ensemble(seen)
    assert pool(seen, previous=pool(seen), now=LATER) == pool(seen)


def test_a_transition_gets_its_time_and_others_keep_theirs():
    before = ensemble(view(worker("a"), worker("b")))
    after = ensemble(view(worker("a"), worker("b", LOADING)), previous=before, now=LATER)
    times = {each["type"]: each["lastTransitionTime"] for each in after["conditions"]}
    assert times == {"Ready": LATER, "Loaded": LATER, "Accepted": NOW, "PlanServed": NOW}


def test_a_decision_that_says_the_same_keeps_its_sentence_and_time():
    first = decision_status(stay(None), previous=None, now=NOW)
    again = Decision(state=None, action=Action.STAY, reason=DecisionReason.AT_CEILING, message="other numbers")
    assert decision_status(again, previous=first, now=LATER) == first
    moved = replace(again, action=Action.LOWER, reason=DecisionReason.OVERLOADED)
    assert decision_status(moved, previous=first, now=LATER)["time"] == LATER
    assert decision_status(moved, previous=decision_status(moved, previous=None, now=NOW), now=LATER)["time"] == LATER


def test_a_hold_keeps_its_time_and_says_what_is_missing_now():
    def hold(message: str) -> Decision[None]:
        return Decision(state=None, action=Action.HOLD, reason=DecisionReason.METRICS_MISSING, message=message)

    first = decision_status(hold("no worker is ready"), previous=None, now=NOW)
    again = decision_status(hold("the rate of tokens is unknown"), previous=first, now=LATER)
    assert again == {**first, "message": "the rate of tokens is unknown"}


def test_a_refused_resource_shows_every_fault_and_nothing_else():
    error = SpecError(
        [SpecIssue("metadata.name", "too long", Reason.INVALID_NAME), SpecIssue("spec.pool", "is required")]
    )
    status = refused_status(parse_meta(objects.ensemble()), error, previous={}, now=NOW)
    fits("StudentEnsemble", status)
    assert condition(status, "Accepted") == ("False", "InvalidName", "metadata.name: too long; spec.pool: is required")
    assert condition(status, "Ready")[:2] == ("False", "NotAccepted")
    assert status["observedGeneration"] == 1


def test_decisions_survive_a_restart_of_the_operator_through_the_status():
    lowered = StudentsState(
        digest=DIGEST,
        floor=1,
        ceiling=2,
        lowered=True,
        changed_at=5.0,
        missed=Missed(students=3, tokens_per_s=1.0, p99_s=1.0, at=0.0),
    )
    seen = view(
        worker("a", served=plan(Cut(students_ceiling=2, thresholds=(0.1,)))),
        current=plan(Cut(students_ceiling=2, thresholds=(0.1,))),
    )
    status = ensemble(seen, state=lowered)
    restored = restore_students(status, now=9.0)
    assert restored == replace(lowered, changed_at=9.0, missed=None)
    assert restore_exits(status, now=9.0) == ExitsState(digest=DIGEST, thresholds=(0.1,), raised_at=9.0)
    assert restore_students({}, now=9.0) == StudentsState()
