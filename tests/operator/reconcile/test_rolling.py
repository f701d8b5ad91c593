"""A new artifact, round by round: what is in the plan, what is told, and what a restarted operator makes of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jsonschema
import pytest

from phalanx_contract.plan import Ensemble
from phalanx_operator.api.schema.crd import object_schema
from phalanx_operator.errors import ClusterError
from tests.operator.objects import DIGEST, ensemble, pool
from tests.operator.reconcile.scene import Scene, put
from tests.operator.reconcile.test_pool import replicas

NEW = "sha256:" + "b" * 64


def renewed(digest: str = NEW, **spec: Any) -> dict[str, Any]:
    return ensemble(artifact={"uri": "file:///models/new", "digest": digest}, **spec)


def planned(scene: Scene) -> Ensemble:
    (found,) = scene.cluster.plan.ensembles
    assert isinstance(found, Ensemble)
    return found


def status(scene: Scene) -> dict[str, Any]:
    found = scene.cluster.status("StudentEnsemble", "sentiment")
    jsonschema.Draft4Validator(object_schema("StudentEnsemble")["properties"]["status"]).validate(found)
    return found


def told(scene: Scene) -> list[tuple[str, str, bool]]:
    """Events on the ensemble's artifact."""
    notes = [note for name, note in scene.cluster.notes if name == "sentiment"]
    return [(note.action, note.reason, note.warning) for note in notes if "Artifact" in note.action + note.reason]


async def served(scene: Scene, *, workers: int = 2) -> None:
    put(scene, pool(replicas={"min": workers, "max": workers}, metrics={"interval": "1s"}), ensemble())
    for index in range(workers):
        await scene.add_worker(f"w-{index}")
    await scene.settle()


async def test_a_new_artifact_is_warmed_beside_the_old_one_and_takes_over_with_one_plan(scene: Scene):
    await served(scene)
    assert status(scene)["rollout"]["stage"] == "Serving"
    put(scene, renewed())
    await scene.round()
    plan = planned(scene)
    assert (plan.artifact.digest, plan.candidate and plan.candidate.artifact.digest) == (DIGEST, NEW)
    shown = status(scene)["rollout"]
    assert (shown["stage"], shown["warm"], shown["workers"]) == ("Warming", 0, 2)
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")[:2] == ("False", "Loading")
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (NEW, None)
    await scene.settle()
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[0] == "True"
    decision = status(scene)["rolloutDecision"]
    assert (decision["action"], decision["reason"]) == ("Promote", "CandidateWarm")
    assert "2 of 2 workers hold it warm" in decision["message"], "and it stays to be read"
    assert told(scene) == [("StartRollout", "NewArtifact", False), ("PromoteArtifact", "CandidateWarm", False)]


async def test_an_artifact_that_cannot_be_loaded_never_takes_over_and_says_what_to_do(scene: Scene):
    await served(scene)
    scene.cluster.broken[NEW] = "ArtifactCorrupt"
    put(scene, renewed(rollout={"progressDeadlineSeconds": 30}))
    await scene.round()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    state, reason, message = scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")
    assert (state, reason) == ("False", "ArtifactCorrupt")
    assert "upload the artifact again" in message
    await scene.round(after_s=31.0)
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (DIGEST, None)
    state, reason, message = scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")
    assert (state, reason) == ("False", "RolledBack")
    assert "upload the artifact again" in message and "aaaaaaaaaaaa goes on serving" in message
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[:2] == ("False", "NotLoaded")
    await scene.settle()
    assert status(scene)["workers"] == {"ready": 2, "total": 2}
    assert told(scene)[-1] == ("RollBackArtifact", "CandidateStuck", True)
    scene.cluster.writes.clear()
    await scene.round(after_s=1.0)
    assert scene.cluster.writes == [], "quiet, once it is told"


async def test_a_restarted_operator_neither_promotes_nor_tries_again_what_was_rolled_back(scene: Scene):
    await served(scene)
    scene.cluster.broken[NEW] = "DigestMismatch"
    put(scene, renewed())
    await scene.round()
    scene.restart()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    assert status(scene)["rollout"]["rejected"]["reason"] == "CandidateFailed"
    scene.restart()
    await scene.settle()
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (DIGEST, None)
    assert status(scene)["rolloutDecision"]["action"] == "RollBack"
    del scene.cluster.broken[NEW]
    put(scene, renewed(students={"max": 3}))
    await scene.settle()
    assert planned(scene).artifact.digest == NEW, "any change of the spec is another try"
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[0] == "True"


async def test_an_operator_that_restarts_before_the_status_was_written_goes_on_with_the_plan(scene: Scene):
    await served(scene)
    obj = next(iter(scene.cluster.store.all_of("StudentEnsemble")))
    scene.cluster.store.put({**obj, "status": {}})
    scene.restart()
    put(scene, renewed())
    await scene.round()
    assert planned(scene).artifact.digest == DIGEST
    assert planned(scene).candidate is not None


async def canary(scene: Scene, **compared: float) -> None:
    """A canary, up to its judgement."""
    await served(scene)
    put(scene, renewed(rollout={"canary": {"weightPercent": 10, "minCompared": 50, "seconds": 60}}))
    await scene.round()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    candidate = planned(scene).candidate
    assert candidate is not None and candidate.share == 0.1
    assert status(scene)["rollout"]["stage"] == "Canary"
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")[:2] == ("False", "RollingOut")
    scene.cluster.compared = compared
    scene.cluster.serve()
    await scene.round(after_s=30.0)


async def test_a_canary_that_agrees_takes_over_after_its_time(scene: Scene):
    await canary(scene, texts=40, agreeing=39, candidate_s=1.1, serving_s=1.0)
    assert status(scene)["rollout"]["comparedPercent"] == 100, "40 of either worker"
    assert planned(scene).artifact.digest == DIGEST
    await scene.round(after_s=31.0)
    assert planned(scene).artifact.digest == NEW
    assert "agrees on 97.5% of 80 texts (90.0% needed)" in status(scene)["rolloutDecision"]["message"]
    assert told(scene)[-1] == ("PromoteArtifact", "CanaryAgrees", False)


async def test_an_operator_that_dies_between_a_promotion_and_its_status_does_not_take_it_back(scene: Scene):
    await canary(scene, texts=40, agreeing=39, candidate_s=1.1, serving_s=1.0)
    scene.cluster.refuse = {"status"}
    with pytest.raises(ClusterError):
        await scene.round(after_s=31.0)
    assert (planned(scene).artifact.digest, status(scene)["rollout"]["stage"]) == (NEW, "Canary")
    scene.cluster.refuse = set()
    scene.restart()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (NEW, None)
    await scene.settle()
    assert status(scene)["rollout"]["stage"] == "Serving"


async def test_an_operator_that_dies_between_a_rollback_and_its_status_does_not_go_on_with_the_trial(scene: Scene):
    await canary(scene)
    scene.cluster.compared = {"texts": 40, "agreeing": 20, "candidate_s": 1.0, "serving_s": 1.0}
    scene.cluster.serve()
    scene.cluster.refuse = {"status"}
    with pytest.raises(ClusterError):
        await scene.round(after_s=1.0)
    assert (planned(scene).candidate, status(scene)["rollout"]["stage"]) == (None, "Canary")
    scene.cluster.refuse = set()
    scene.restart()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    candidate = planned(scene).candidate
    assert candidate is not None and candidate.share == 0.0, "it answers nothing before it is warm again"
    assert status(scene)["rollout"]["stage"] == "Warming"


async def test_a_canary_that_disagrees_is_rolled_back_before_its_time(scene: Scene):
    await canary(scene, texts=40, agreeing=20, candidate_s=1.0, serving_s=1.0)
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (DIGEST, None)
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")[:2] == ("False", "RolledBack")
    assert told(scene)[-1] == ("RollBackArtifact", "CanaryDisagrees", True)


async def test_workers_without_room_for_two_change_one_after_the_other_also_over_a_restart(scene: Scene):
    await served(scene)
    scene.cluster.crowded = True
    put(scene, renewed())
    seen = []
    for _ in range(8):
        await scene.round(after_s=1.0)
        seen.append((planned(scene).artifact.digest, planned(scene).alone))
        scene.restart()
        scene.cluster.serve()
    told_of = [seen[0], *(now for before, now in pairwise(seen) if now != before)]
    assert told_of == [(DIGEST, ()), (DIGEST, ("w-0",)), (DIGEST, ("w-0", "w-1")), (NEW, ())]
    assert [reason for action, reason, _ in told(scene)] == ["NewArtifact", "CandidateWarm"]
    assert [note.reason for _, note in scene.cluster.notes].count("OneByOne") == 2
    assert "alone" not in status(scene)["rollout"]


async def test_a_worker_that_does_not_report_holds_a_promotion(scene: Scene):
    await served(scene)
    put(scene, renewed())
    await scene.round()
    scene.cluster.serve()
    scene.cluster.workers[1].broken = True
    await scene.round(after_s=1.0)
    assert planned(scene).artifact.digest == DIGEST
    assert status(scene)["rolloutDecision"]["reason"] == "ReportsMissing"
    scene.cluster.workers[1].broken = False
    await scene.round(after_s=1.0)
    assert planned(scene).artifact.digest == NEW


async def test_more_students_than_the_serving_artifact_has_are_meant_for_the_next_one(scene: Scene):
    await served(scene)
    scene.cluster.broken[NEW] = "DigestMismatch"
    put(scene, renewed(students={"min": 5}))
    await scene.round()
    candidate = planned(scene).candidate
    assert candidate is not None
    assert (planned(scene).cut.students_floor, candidate.cut.students_floor) == (3, 5)
    await scene.settle()
    assert planned(scene).cut.students_floor == 3


async def test_a_spec_that_is_refused_for_a_while_forgets_neither_artifact(scene: Scene):
    await served(scene)
    scene.cluster.broken[NEW] = "DigestMismatch"
    put(scene, renewed(students={"min": 3, "max": 2}))
    await scene.round()
    scene.restart()
    put(scene, renewed())
    await scene.round()
    assert planned(scene).artifact.digest == DIGEST


async def test_a_new_artifact_that_may_not_be_loaded_takes_nothing_away_and_is_tried_once_it_may(scene: Scene):
    spec = {"replicas": {"min": 2, "max": 2}, "metrics": {"interval": "1s"}}
    put(scene, pool(**spec, artifacts={"allow": ["file:///models/sentiment"]}), ensemble())
    for index in range(2):
        await scene.add_worker(f"w-{index}")
    await scene.settle()
    put(scene, renewed())
    for _ in range(3):
        await scene.round(after_s=1.0)
        assert (planned(scene).artifact.digest, planned(scene).candidate) == (DIGEST, None)
        scene.restart()
    state, reason, message = scene.cluster.condition("StudentEnsemble", "sentiment", "Loaded")
    assert (state, reason) == ("False", "RolledBack")
    assert "spec.artifacts.allow of the pool" in message and "aaaaaaaaaaaa goes on serving" in message
    assert told(scene) == [("RollBackArtifact", "CandidateRefused", True)]
    put(scene, pool(**spec, artifacts={"allow": ["file:///models"]}))
    await scene.settle()
    assert planned(scene).artifact.digest == NEW
    put(scene, pool(**spec, artifacts={"allow": []}))
    await scene.round()
    assert scene.cluster.plan.ensembles == (), "what serves has to be allowed, too"


async def test_a_paused_pool_lets_no_artifact_in(scene: Scene):
    await served(scene)
    put(scene, pool(paused=True, replicas={"min": 2, "max": 2}, metrics={"interval": "1s"}), renewed())
    await scene.round()
    assert planned(scene).candidate is None
    assert status(scene)["rolloutDecision"]["reason"] == "Paused"


async def test_a_worker_that_is_replaced_while_workers_change_one_by_one_keeps_none_of_them_waiting(scene: Scene):
    await served(scene)
    scene.cluster.crowded = True
    put(scene, renewed())
    await scene.round(after_s=1.0)
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    assert planned(scene).alone == ("w-0",)
    del scene.cluster.workers[0]
    await scene.add_worker("w-2")
    await scene.settle()
    assert (planned(scene).artifact.digest, planned(scene).alone) == (NEW, ())
    assert told(scene)[-1] == ("PromoteArtifact", "CandidateWarm", False)


async def test_a_pool_shrinks_only_once_the_worker_that_changes_its_artifact_is_back(scene: Scene):
    await served(scene, workers=3)
    scene.cluster.crowded = True
    put(scene, renewed())
    while not planned(scene).alone:
        await scene.round(after_s=1.0)
        scene.cluster.serve()
    put(scene, pool(replicas={"min": 2, "max": 2}, metrics={"interval": "1s"}))
    scene.cluster.workers[0].status["ready"] = False
    await scene.round(after_s=1.0)
    decision = scene.cluster.status("ServingPool", "gpus")["decision"]
    assert (decision["reason"], replicas(scene)) == ("WorkersChanging", 3)
    assert "w-0 is back" in decision["message"]
    scene.cluster.workers[0].status["ready"] = True
    await scene.settle()
    assert (planned(scene).artifact.digest, replicas(scene)) == (NEW, 2)


async def test_what_served_in_another_pool_has_to_be_allowed_in_this_one(scene: Scene):
    await served(scene)
    spec = {"replicas": {"min": 2, "max": 2}, "metrics": {"interval": "1s"}}
    put(scene, pool(**spec, artifacts={"allow": ["file:///models/new"]}), renewed())
    scene.restart()
    await scene.round(after_s=1.0)
    assert (planned(scene).artifact.digest, planned(scene).candidate) == (NEW, None), "no worker reads the old place"
    scene.cluster.serve()
    await scene.settle()
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[0] == "True"
