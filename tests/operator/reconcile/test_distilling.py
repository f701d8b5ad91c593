"""Rounds of a pool whose ensemble is distilled: its Job, what is served meanwhile, and what a restart finds."""

from __future__ import annotations

from typing import Any

import pytest

from phalanx_contract.distillation import ENV_TASK, Ending, Outcome, encode_ending, parse_task
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build import Versions
from phalanx_operator.observe.store import Ref, ref_of
from phalanx_operator.reconcile.jobs import job_view
from phalanx_operator.reconcile.orphans import sweep
from tests.operator.objects import DIGEST, distilled, ensemble, pool
from tests.operator.reconcile.scene import Scene, put

MADE = "sha256:" + "d" * 64
ALLOWED = {"distillation": "Allowed", "artifacts": {"claims": ["models"]}}


def job_of(scene: Scene) -> Manifest:
    (job,) = scene.cluster.live.all_of("Job")
    return job


def distiller(job: Manifest, *, phase: str, code: int = 0, message: str = "", name: str = "p") -> Manifest:
    """A pod as the Job's controller makes it, and as its kubelet left it."""
    ended = {"exitCode": code, "message": message}
    state: dict[str, Any] = {"running": {}} if phase == "Running" else {"terminated": ended}
    labels = job["spec"]["template"]["metadata"]["labels"] | {"job-name": job["metadata"]["name"]}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "distill"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "distill", "state": state}]},
    }


def output_of(job: Manifest) -> str:
    """Where the Job is told to put the artifact."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    task = next(each["value"] for each in container["env"] if each["name"] == ENV_TASK)
    return parse_task(task).output


def ends(scene: Scene, *, digest: str = MADE, uri: str = "") -> None:
    """The pod tells an outcome, at its place or `uri`; the Job's controller has not looked yet."""
    uri = uri or output_of(job_of(scene))
    outcome = Outcome(uri=uri, digest=digest, students=3, rows=2, accuracy=0.9)
    message = encode_ending(Ending(outcome=outcome)).decode()
    scene.cluster.distillers = [distiller(job_of(scene), phase="Succeeded", message=message)]


def condition(job: Manifest, kind: str, **content: str) -> Manifest:
    held = {"type": kind, "status": "True", "lastTransitionTime": "2023-11-14T22:13:20Z", **content}
    return {**job, "status": {"conditions": [held]}}


def test_times_of_the_api_are_those_of_the_scenes_clock():
    assert job_view(condition({"metadata": {}}, "Complete"), owner="u").ended_at == 1_700_000_000.0


@pytest.mark.parametrize(("spec", "suspended"), [({"suspend": True}, True), ({"suspend": False}, False), ({}, False)])
def test_a_job_is_suspended_if_its_spec_says_so(spec, suspended):
    assert job_view({"metadata": {}, "spec": spec}, owner="u").suspended is suspended


async def serving(scene: Scene, **distill: Any) -> None:
    """A pool with a worker that serves what was distilled."""
    await scene.add_worker("a")
    put(scene, pool(**ALLOWED), distilled(distill=distill))
    await scene.round()
    ends(scene)
    await scene.settle()


async def test_an_ensemble_without_a_result_is_not_in_the_plan_and_says_so(scene: Scene):
    put(scene, pool(**ALLOWED), distilled(), ensemble("other"))
    await scene.round()
    assert [each.name for each in scene.cluster.plan.ensembles] == ["other"]
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")[:2] == ("False", "JobPending")
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[:2] == ("False", "NotDistilled")
    assert scene.cluster.status("StudentEnsemble", "tickets")["distill"]["job"] == job_of(scene)["metadata"]["name"]


async def test_a_result_is_served_by_its_digest(scene: Scene):
    await serving(scene)
    (served,) = scene.cluster.plan.ensembles
    assert (served.artifact.uri, served.artifact.digest) == (output_of(job_of(scene)), MADE)
    assert served.artifact.uri.startswith("pvc://models/out/tickets-")
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[0] == "True"
    assert [note.action for name, note in scene.cluster.notes if note.reason == "ResultReady"] == ["Distill"]


async def test_a_restart_and_a_lost_job_begin_nothing_again(scene: Scene):
    await serving(scene)
    scene.cluster.live.remove(ref_of(job_of(scene)))
    scene.cluster.distillers = []
    scene.restart()
    await scene.settle()
    assert scene.cluster.live.all_of("Job") == []
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE


async def test_a_result_is_kept_while_the_pool_is_wrong_or_gone(scene: Scene):
    await serving(scene)
    put(scene, pool(**ALLOWED, replicas={"min": 3, "max": 1}))
    await scene.round()
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Accepted")[0] == "False"
    put(scene, pool(**ALLOWED))
    scene.cluster.distillers = []
    await scene.settle()
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[0] == "True"


async def test_another_spec_has_another_job_and_the_result_before_goes_on_serving(scene: Scene):
    await serving(scene)
    before = job_of(scene)["metadata"]["name"]
    put(scene, distilled(distill={"seed": 7}))
    await scene.round()
    assert job_of(scene)["metadata"]["name"] != before, "and the Job before is deleted"
    await scene.round()
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[1] == "NotDistilled"
    other = "sha256:" + "e" * 64
    ends(scene, digest=other)
    await scene.settle()
    assert scene.cluster.plan.ensembles[0].artifact.digest == other
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[0] == "True"


async def test_an_artifact_that_was_named_goes_on_serving_until_the_first_result(scene: Scene):
    await scene.add_worker("a")
    put(scene, pool(**ALLOWED), ensemble("tickets"))
    await scene.settle()
    put(scene, distilled())
    await scene.round()
    assert scene.cluster.plan.ensembles[0].artifact.digest == DIGEST
    scene.restart()
    await scene.round()
    assert scene.cluster.plan.ensembles[0].artifact.digest == DIGEST
    ends(scene)
    await scene.settle()
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE


async def test_a_failure_is_told_in_the_pods_words_and_not_tried_again(scene: Scene):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    job = job_of(scene)
    words = encode_ending(Ending(error="students.count: Expected `int` <= 32")).decode()
    scene.cluster.distillers = [distiller(job, phase="Failed", code=64, message=words)]
    scene.cluster.live.put(condition(job, "Failed", reason="BackoffLimitExceeded", message="tried 7 times"))
    await scene.round()
    status, reason, message = scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")
    assert (status, reason) == ("False", "DistillationFailed")
    assert message.startswith("students.count: Expected `int` <= 32 (BackoffLimitExceeded: tried 7 times); ")
    assert [note.warning for _, note in scene.cluster.notes if note.reason == "DistillationFailed"] == [True]
    scene.cluster.live.remove(ref_of(job))
    scene.restart()
    await scene.round()
    assert scene.cluster.live.all_of("Job") == []
    put(scene, distilled(distill={"attempt": 2}))
    await scene.round()
    assert job_of(scene)["metadata"]["name"] != job["metadata"]["name"]


async def test_an_ensemble_that_is_deleted_and_made_anew_tries_anew_what_was_given_up(scene: Scene):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    scene.cluster.live.put(condition(job_of(scene), "Failed", reason="BackoffLimitExceeded", message="tried 7 times"))
    await scene.round()
    scene.cluster.store.remove(Ref("StudentEnsemble", Key("default", "tickets")))
    anew = distilled()
    put(scene, {**anew, "metadata": {**anew["metadata"], "uid": "another"}})
    await scene.round()
    assert scene.cluster.live.all_of("Job") == [], "the garbage collector might take its time"
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")[1] == "JobPending"
    await scene.round()
    assert [each["uid"] for each in job_of(scene)["metadata"]["ownerReferences"]] == ["another"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"reason": "Evicted", "message": "low on memory"}, "pod p: Evicted: low on memory"),
        ({"state": {"exitCode": 137, "reason": "OOMKilled"}}, "out of memory; ask for more in spec.distill.resources"),
        ({"state": {"exitCode": 1, "message": "Traceback\n  oh"}}, "exit code 1: Traceback oh"),
    ],
)
async def test_a_pod_that_could_say_nothing_is_spoken_for(scene: Scene, status: dict[str, Any], says: str):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    pod = distiller(job_of(scene), phase="Failed")
    pod["status"] |= {key: value for key, value in status.items() if key != "state"}
    pod["status"]["containerStatuses"][0]["state"] = {"terminated": status.get("state", {"exitCode": 1})}
    scene.cluster.distillers = [pod]
    await scene.round()
    assert says in scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")[2]


async def test_a_pod_that_distils_is_no_worker(scene: Scene):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    scene.cluster.distillers = [distiller(job_of(scene), phase="Running")]
    await scene.round()
    assert scene.cluster.status("ServingPool", "gpus")["replicas"] == 0
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")[1] == "Distilling"


async def test_what_the_cluster_refuses_is_the_ensembles_to_know_and_not_the_pools(scene: Scene):
    await scene.add_worker("a")
    put(scene, pool(**ALLOWED), distilled())
    scene.cluster.deny = {"Job"}
    for _ in range(4):
        await scene.round(after_s=120.0)
    _, reason, message = scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")
    assert (reason, "a policy forbids it" in message) == ("ApplyRefused", True)
    assert scene.cluster.condition("ServingPool", "gpus", "Applied")[0] == "True"


async def test_a_paused_pool_makes_no_job_and_deletes_none(scene: Scene):
    put(scene, pool(**ALLOWED, paused=True), distilled())
    await scene.round()
    assert scene.cluster.live.all_of("Job") == []
    _, reason, message = scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")
    assert (reason, "when spec.paused of the pool is false" in message) == ("JobPending", True)
    put(scene, pool(**ALLOWED))
    await scene.round()
    put(scene, pool(**ALLOWED, paused=True), distilled(distill={"seed": 3}))
    before = job_of(scene)
    await scene.round()
    assert job_of(scene) == before


async def test_an_ensemble_that_names_an_artifact_instead_leaves_no_job(scene: Scene):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    put(scene, ensemble("tickets"))
    await scene.round()
    assert scene.cluster.live.all_of("Job") == []
    assert "distill" not in scene.cluster.status("StudentEnsemble", "tickets")


async def test_a_job_with_half_of_the_labels_stops_no_round(scene: Scene):
    put(scene, pool(**ALLOWED), ensemble("tickets"))
    labels = {"phalanx.dev/distills-for": "gpus"}
    scene.cluster.live.put({"kind": "Job", "metadata": {"name": "x", "namespace": "default", "labels": labels}})
    await scene.round()
    assert [each.name for each in scene.cluster.plan.ensembles] == ["tickets"]


async def test_an_ensemble_that_goes_to_another_pool_takes_its_job_along(scene: Scene):
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    put(scene, distilled(pool="others"))
    await scene.round()
    assert scene.cluster.live.all_of("Job") == []


@pytest.mark.parametrize(
    ("pool_spec", "distill", "reason", "says"),
    [
        ({"artifacts": {"claims": ["models"]}}, {}, "DistillationNotAllowed", "spec.distillation to Allowed"),
        ({"distillation": "Allowed"}, {}, "ClaimNotMounted", "spec.distill.output: the claim 'models'"),
        (
            {"distillation": "Allowed", "artifacts": {"claims": ["models"], "allow": ["s3://ours"]}},
            {},
            "ArtifactNotAllowed",
            "spec.distill.output: pvc://models/out is not below",
        ),
        (ALLOWED, {"image": "own:latest"}, "ImageNotPinned", "spec.distill.image: 'own:latest' names no digest"),
        (ALLOWED, {"work": "pvc://models/w"}, "InvalidSpec", "spec.distill.work: goes with"),
        (ALLOWED, {"output": "https://store/x"}, "InvalidSpec", "spec.distill.output: "),
        (ALLOWED, {"output": "pvc://models/%2e%2e/x"}, "InvalidSpec", "spec.distill.output: must not contain '..'"),
        (ALLOWED, {"settings": {"students": 4}}, "InvalidSpec", "spec.distill.settings.students: is no section"),
        (ALLOWED, {"env": [{"name": "PHALANX_DISTILL_TASK"}]}, "InvalidSpec", "spec.distill.env[0].name: "),
        (ALLOWED, {"teacher": "no name"}, "InvalidSpec", "spec.distill.teacher: "),
    ],
)
async def test_a_distillation_that_may_not_be_is_refused_by_its_field(scene: Scene, pool_spec, distill, reason, says):
    scene.restart(Versions(worker_image="worker@sha256:" + "a" * 64, image_by_digest=True))
    put(scene, pool(**pool_spec), distilled(distill=distill))
    await scene.round()
    status, why, message = scene.cluster.condition("StudentEnsemble", "tickets", "Accepted")
    assert (status, why) == ("False", reason)
    assert says in message
    assert scene.cluster.live.all_of("Job") == []


async def test_a_pool_that_takes_its_leave_back_goes_on_serving_what_was_distilled(scene: Scene):
    await serving(scene)
    put(scene, pool(artifacts={"claims": ["models"]}))
    await scene.settle()
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[0] == "True"
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE
    scene.cluster.live.remove(ref_of(job_of(scene)))
    put(scene, distilled(distill={"seed": 7}))
    await scene.settle()
    status, reason, message = scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")
    assert (status, reason) == ("False", "DistillationNotAllowed")
    assert "spec.distillation to Allowed" in message
    assert scene.cluster.live.all_of("Job") == []
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE
    put(scene, pool(**ALLOWED))
    await scene.round()
    assert job_of(scene)


@pytest.mark.parametrize(
    ("distill", "reason"),
    [({"output": "pvc://others/out"}, "ClaimNotMounted"), ({"output": "s3://theirs/out"}, "ArtifactNotAllowed")],
)
async def test_an_output_where_it_may_not_be_stops_nothing_that_serves(scene: Scene, distill, reason):
    allowed = {"distillation": "Allowed", "artifacts": {"claims": ["models"], "allow": ["pvc://"]}}
    await scene.add_worker("a")
    put(scene, pool(**allowed), distilled())
    await scene.round()
    ends(scene)
    await scene.settle()
    before = job_of(scene)["metadata"]["name"]
    put(scene, distilled(distill=distill))
    await scene.settle()
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")[1] == reason
    assert scene.cluster.plan.ensembles[0].artifact.digest == MADE
    assert [job["metadata"]["name"] for job in scene.cluster.live.all_of("Job")] in ([], [before])


@pytest.mark.parametrize("spec", [{}, {"artifact": {"uri": "file:///m", "digest": DIGEST}}])
async def test_an_ensemble_has_either_an_artifact_or_a_distillation(scene: Scene, spec):
    both = distilled(**spec)
    if not spec:
        del both["spec"]["distill"]
    put(scene, pool(**ALLOWED), both)
    await scene.round()
    message = scene.cluster.condition("StudentEnsemble", "tickets", "Accepted")[2]
    assert message.startswith("spec.artifact: must be there unless spec.distill is")


async def test_a_pod_that_tells_of_a_result_elsewhere_is_not_believed(scene: Scene):
    put(scene, pool(**ALLOWED), distilled(distill={"image": "own:1"}))
    await scene.round()
    ends(scene, uri="s3://theirs/secret")
    scene.cluster.live.put(condition(job_of(scene), "Complete"))
    await scene.round()
    assert scene.cluster.plan.ensembles == ()
    _, reason, message = scene.cluster.condition("StudentEnsemble", "tickets", "Distilled")
    assert reason == "DistillationFailed"
    assert f"a result that is not at {output_of(job_of(scene))}; spec.distill.image" in message


async def test_what_served_before_a_distillation_goes_where_the_pool_allows_it_no_more(scene: Scene):
    await scene.add_worker("a")
    put(scene, pool(**ALLOWED), ensemble("tickets"))
    await scene.settle()
    put(scene, pool(distillation="Allowed", artifacts={"claims": ["models"], "allow": ["pvc://models"]}), distilled())
    await scene.settle()
    assert scene.cluster.plan.ensembles == ()
    assert scene.cluster.condition("StudentEnsemble", "tickets", "Ready")[1] == "NotDistilled"


async def test_a_job_is_deleted_once_its_ensemble_has_left_the_deleted_pool_that_it_ran_for(scene: Scene):
    """Else it would hold its GPU, and the place of the output, until its end."""
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    job = job_of(scene)
    scene.cluster.store.remove(Ref("ServingPool", Key("default", "gpus")))
    await sweep(scene.cluster, lambda: scene.now)
    assert job_of(scene) == job, "the ensemble still names the pool, which may be made anew"
    put(scene, pool("others", **ALLOWED), distilled(pool="others"))
    others = {**job, "metadata": {**job["metadata"], "name": "a-users", "labels": {"app.kubernetes.io/name": "mine"}}}
    scene.cluster.live.put(others)
    await sweep(scene.cluster, lambda: scene.now)
    assert scene.cluster.live.all_of("Job") == [others]


async def test_a_job_is_deleted_with_the_ensemble_and_once(scene: Scene):
    """The garbage collector does it, unless whoever deleted the ensemble had it leave what it owns."""
    put(scene, pool(**ALLOWED), distilled())
    await scene.round()
    job = job_of(scene)
    scene.cluster.store.remove(Ref("StudentEnsemble", Key("default", "tickets")))
    scene.cluster.live.put({**job, "metadata": {**job["metadata"], "deletionTimestamp": "2023-11-14T22:13:20Z"}})
    scene.cluster.writes.clear()
    await sweep(scene.cluster, lambda: scene.now)
    assert scene.cluster.writes == [], "it goes already"
    scene.cluster.live.put(job)
    await sweep(scene.cluster, lambda: scene.now)
    assert scene.cluster.live.all_of("Job") == []
