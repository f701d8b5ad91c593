"""`kubectl phalanx explain` and `recommend`: prose from statuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from phalanx_contract.conditions import Reason
from phalanx_operator.decide.types import DecisionReason
from phalanx_operator.describe.ensemble import explain
from phalanx_operator.describe.nextsteps import CONDITIONS, DECISIONS
from phalanx_operator.describe.recommend import recommend
from tests.operator.describe import samples, scene
from tests.operator.objects import distilled, ensemble, pool

DOCS = Path(__file__).parents[3] / "docs"


def explained(obj: dict[str, Any], of: dict[str, Any] | None) -> str:
    return "\n".join(line.text for line in explain(obj, of, now=scene.NOW))


def recommended(of: dict[str, Any], *ensembles: dict[str, Any]) -> str:
    return "\n".join(line.text for line in recommend(of, ensembles, now=scene.NOW))


def test_why_this_number_of_students_is_said_with_the_numbers_and_the_bounds():
    text = explained(scene.cut_ensemble(), scene.busy_pool())
    for part in (
        "1 to 2 of 4 may answer",
        "The spec allows 1 to all that the artifact has",
        "Load keeps it below that",
        "lowered (Overloaded, 12s ago): 61200 tokens/s are 131% of the capacity with 4 students",
        "on 1.00% of the texts",
        "on 3.00% on average over five minutes",
        "texts leave early at row 0 below 0.05",
        "2 of 3 workers of pool/gpus serve it; 2 are ready and 3 wanted. The objective is a p99 of 20ms",
        "Insufficient nvidia.com/gpu",
    ):
        assert part in text
    assert "- ReplicasPending: see `Available`; the message names a pod that cannot start" in text


def test_an_ensemble_that_is_not_served_says_what_to_change_and_says_it_once():
    text = explained(scene.broken_ensemble(), scene.busy_pool())
    assert "ens/topics in ml is not served as its spec says" in text
    steps = text.partition("Next\n")[2]
    assert "- DigestMismatch: spec.artifact.digest" in steps
    assert "- ArtifactUnknown: see `Loaded`" in steps
    assert len(steps.splitlines()) == len(set(steps.splitlines()))


def test_a_new_artifact_that_was_rolled_back_is_told_with_what_serves_and_what_to_do():
    text = explained(scene.rolled_back_ensemble(), scene.busy_pool())
    assert "aaaaaaaaaaaa serves. Stage RolledBack, for 4m." in text
    assert "cccccccccccc was rolled back." in text
    steps = text.partition("Next\n")[2]
    assert "- RolledBack: do what the message says, then change the spec" in steps
    assert "- CandidateStuck: do what the message says, or raise `spec.rollout.progressDeadlineSeconds`" in steps


def test_a_distillation_tells_what_it_does_how_far_it_is_and_what_came_of_the_last_one():
    result = {"uri": "pvc://models/out/t-1", "digest": "sha256:aa", "students": 3, "rows": 2, "accuracy": 0.91}
    told = {"job": "tickets-1", "stage": "student 2 of 4", "percent": 45, "leftSeconds": 125, "result": result}
    waits = scene.condition("Distilled", "False", "Distilling", "student 2 of 4: 45% done")
    text = explained(scene.with_status(distilled(), waits, distill=told), scene.busy_pool())
    for part in (
        "pvc://models/teacher on pvc://models/rows.csv, to pvc://models/out; the Job is tickets-1.",
        "student 2 of 4: 45% done, 2:05 of this stage left when it was told.",
        "The latest result is pvc://models/out/t-1, sha256:aa:",
        "3 students of 2 rows, right on 91.00% of held-out rows.",
        "- Distilling: wait",
    ):
        assert part in text
    failed = {"job": "tickets-1", "failure": {"job": "tickets-1", "message": "no such column"}}
    assert "tickets-1 was given up: no such column" in explained(scene.with_status(distilled(), distill=failed), None)
    assert "there is no Job yet" in explained(distilled(), None)


def test_before_the_first_look_nothing_breaks():
    new = {**ensemble(), "metadata": {"name": "new", "namespace": "ml", "generation": 1}}
    text = explained(new, None)
    assert "the operator has not looked at it yet" in text
    assert "No range is in force yet." in text
    assert "There is no pool/gpus in this namespace." in text


def test_where_nothing_is_wrong_nothing_needs_to_be_done():
    ready = scene.condition("Ready", "True", "Serving", "fine")
    calm = scene.decision("Stay", "AtCeiling", "all 4 students that are allowed may answer")
    obj = scene.with_status(ensemble(), ready, students={"floor": 1, "ceiling": 4, "available": 4}, decision=calm)
    of = scene.with_status(pool(), scene.condition("Ready", "True", "WorkersReady", "fine"), decision={})
    assert explained(obj, of).endswith("Nothing needs to be done.")


@pytest.mark.parametrize(("field", "said"), [("paused", "is paused"), ("recommendOnly", "only recommends")])
def test_a_pool_that_carries_nothing_out_is_named_at_the_top(field, said):
    assert said in explained(scene.cut_ensemble(), scene.busy_pool(**{field: True})).partition("Students")[0]


def test_a_changed_spec_is_told_to_be_newer_than_what_follows():
    obj = scene.cut_ensemble()
    assert "Its spec has changed since" in explained({**obj, "metadata": {**obj["metadata"], "generation": 2}}, None)


def test_a_recommendation_says_what_would_be_done_and_how_to_let_it():
    text = recommended(scene.recommending()[0], *scene.recommending()[1])
    assert text.startswith("pool/gpus only recommends. If it decided:")
    assert "would be lowered (Overloaded, 12s ago): 61200 tokens/s" in text
    assert "1 change would be made" in text
    assert """kubectl patch pool gpus -n ml --type merge -p '{"spec":{"recommendOnly":false}}'""" in text


def test_a_pool_that_decides_says_what_is_in_force_and_what_would_change_it():
    text = recommended(scene.busy_pool(), scene.cut_ensemble())
    assert text.startswith("pool/gpus decides by itself")
    assert "workers: 3 of 1 to 8" in text
    assert "ens/sentiment: students 1-2 of 4" in text
    assert "fewer above 90% of the capacity" in text
    assert "recommended" not in text


def test_a_paused_pool_decides_nothing():
    assert (
        recommended(scene.busy_pool(paused=True))
        == "pool/gpus is paused: nothing is decided. Set spec.paused to false."
    )


def test_metrics_that_are_missing_hold_and_are_said_first():
    of = scene.busy_pool()
    of["status"]["conditions"][-1] = scene.condition(
        "MetricsAvailable", "False", "MetricsMissing", "no worker's metrics"
    )
    assert "Held: no worker's metrics; check that Prometheus scrapes" in recommended(of).splitlines()[1]


@pytest.mark.parametrize(
    ("page", "reasons", "steps"), [("conditions.md", Reason, CONDITIONS), ("decisions.md", DecisionReason, DECISIONS)]
)
def test_the_next_steps_are_those_of_the_documentation(page, reasons, steps):
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", (DOCS / page).read_text(), re.MULTILINE))
    documented = {str(reason): rows[reason] for reason in reasons if rows[reason] != "none"}
    assert {str(reason): step for reason, step in steps.items()} == documented


def test_the_samples_in_the_documentation_are_what_the_commands_print():
    page = samples.PAGE.read_text()
    assert page.count("<!-- sample:") == len(samples.samples())
    assert page == samples.with_samples(page, samples.samples()), "run python -m tests.operator.describe.samples"
