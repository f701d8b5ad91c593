"""The Job of a distillation: its identity, its pod, and what it is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.distillation import ENV_TASK, JOB_ENV, parse_task
from phalanx_contract.limits import MAX_NAME
from phalanx_contract.runtime import CLAIMS_DIR, OPERATOR_ENV
from phalanx_operator.api.identity import job_name, mark_of, task_of
from phalanx_operator.api.parse import parse_ensemble, parse_pool
from phalanx_operator.build import distillation_job
from phalanx_operator.build.labels import LABEL_POOL, is_distillers, pool_of
from tests.operator import objects

WHAT = {"teacher": "pvc://models/teacher", "data": "s3://rows/a.jsonl", "output": "pvc://results/out"}


def ensemble(name="tickets", pool="gpus", **distill):
    return parse_ensemble(objects.distilled(name, pool=pool, distill=WHAT | distill))


def build(name="tickets", *, worker=None, failure_policy=False, **distill):
    made = ensemble(name, **distill)
    pool = parse_pool(objects.pool("gpus", worker=worker or {}))
    return distillation_job(made, made.source, pool, default_image="worker:1", failure_policy=failure_policy)


def pod(job):
    return job["spec"]["template"]["spec"]


def container(job):
    return pod(job)["containers"][0]


def identity(**distill):
    made = ensemble(**distill)
    return job_name(made, made.source), mark_of(made.meta.key, made.source)


DECIDES = [
    {"teacher": "minilm"},
    {"data": "trec6"},
    {"output": "s3://elsewhere/out"},
    {"textColumn": "body"},
    {"labelColumn": "team"},
    {"students": 3},
    {"rows": 1},
    {"accuracyBudget": 0.01},
    {"seed": 1},
    {"settings": {"teacher": {"count": 2}}},
]
ABOUT_THE_POD = [
    {"attempt": 2},
    {"retries": 0},
    {"deadlineSeconds": 60},
    {"resources": {"limits": {"memory": "64Gi"}}},
    {"nodeSelector": {"gpu": "yes"}},
    {"tolerations": [{"operator": "Exists"}]},
    {"image": "own:2"},
    {"serviceAccountName": "writer"},
    {"fsGroup": 7},
    {"env": [{"name": "A", "value": "b"}]},
]


@pytest.mark.parametrize("change", DECIDES, ids=lambda change: next(iter(change)))
def test_what_decides_the_result_makes_another_result_and_another_job(change):
    (name, mark), (other_name, other_mark) = identity(), identity(**change)
    assert name != other_name
    assert mark != other_mark


@pytest.mark.parametrize("change", ABOUT_THE_POD, ids=lambda change: next(iter(change)))
def test_what_is_about_the_pod_makes_another_job_for_the_same_result(change):
    (name, mark), (other_name, other_mark) = identity(), identity(**change)
    assert name != other_name
    assert mark == other_mark


def test_the_same_spec_is_the_same_job_in_every_operator_and_another_one_for_every_ensemble():
    assert identity() == identity()
    assert identity() != identity(name="others")
    moved = ensemble(pool="others")
    assert (job_name(moved, moved.source) == identity()[0], mark_of(moved.meta.key, moved.source)) == (
        False,
        identity()[1],
    )


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True))
def test_names_and_labels_fit(name):
    job = build(name)
    assert len(job["metadata"]["name"]) <= 63
    assert all(len(value) <= 63 for value in job["metadata"]["labels"].values())


def test_the_longest_name_fits_too():
    assert len(build("n" * MAX_NAME)["metadata"]["name"]) <= 63


def test_the_job_goes_with_its_ensemble_and_its_pods_are_no_workers():
    job = build()
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("StudentEnsemble", "uid-tickets", True)
    assert "blockOwnerDeletion" not in owner, "which would take a right to the owner's finalizers"
    for labelled in (job, job["spec"]["template"]):
        child = {"metadata": {"namespace": "default", **labelled["metadata"]}}
        assert LABEL_POOL not in child["metadata"]["labels"]
        assert is_distillers(child)
        assert str(pool_of(child)) == "default/gpus", "its changes are the pool's business"


def test_the_pod_is_restricted_and_keeps_its_words():
    job = build()
    assert pod(job)["restartPolicy"] == "Never"
    assert pod(job)["automountServiceAccountToken"] is False
    assert pod(job)["securityContext"]["runAsNonRoot"]
    assert container(job)["securityContext"]["readOnlyRootFilesystem"]
    assert container(job)["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_task_is_what_the_spec_says_in_a_folder_of_its_own():
    made = ensemble(students=3, accuracyBudget=0.01, settings={"teacher": {"count": 2}}, seed=5)
    text = next(entry["value"] for entry in container(build())["env"] if entry["name"] == ENV_TASK)
    assert parse_task(text.replace("$$", "$")).output == task_of(made.meta.key, ensemble().source).output
    task = task_of(made.meta.key, made.source)
    assert task.output.startswith("pvc://results/out/tickets-")
    students = {"count": 3, "rows": "auto", "auto": {"accuracy_budget": 0.01}}
    assert task.settings == {"teacher": {"count": 2}, "seed": 5, "students": students}


def test_a_dollar_in_a_setting_is_no_reference_to_a_variable():
    job = build(settings={"note": "$(HOME)"})
    text = next(entry["value"] for entry in container(job)["env"] if entry["name"] == ENV_TASK)
    assert json.loads(text)["settings"]["note"] == "$$(HOME)"


def test_claims_are_mounted_once_and_only_those_that_are_written_to_for_writing():
    job = build(data="pvc://models/rows.csv")
    claims = {
        volume["persistentVolumeClaim"]["claimName"]: volume["persistentVolumeClaim"].get("readOnly", False)
        for volume in pod(job)["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"models": True, "results": False}
    paths = {mount["mountPath"] for mount in container(job)["volumeMounts"]}
    assert paths == {"/tmp", f"{CLAIMS_DIR}/models", f"{CLAIMS_DIR}/results"}


def test_the_pod_is_as_the_spec_and_the_pool_have_it():
    own = build(image="own:2", serviceAccountName="writer", resources={"limits": {"nvidia.com/gpu": 2}}, retries=3)
    assert (container(own)["image"], pod(own)["serviceAccountName"]) == ("own:2", "writer")
    assert container(own)["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert own["spec"]["backoffLimit"] == 3
    pools = build(worker={"image": "pools:1", "runtimeClassName": "nvidia"})
    assert (container(pools)["image"], pod(pools)["runtimeClassName"]) == ("pools:1", "nvidia")
    assert (container(build())["image"], pod(build())["serviceAccountName"]) == ("worker:1", "gpus")


def test_only_clusters_that_know_it_get_a_failure_policy():
    assert "podFailurePolicy" not in build()["spec"]
    assert {each["action"] for each in build(failure_policy=True)["spec"]["podFailurePolicy"]["rules"]} == {
        "FailJob",
        "Ignore",
    }


def test_users_may_not_set_what_the_operator_sets():
    names = {entry["name"] for entry in container(build())["env"]}
    assert JOB_ENV <= names <= JOB_ENV | OPERATOR_ENV


def test_identities_are_those_of_the_release_before_so_that_no_upgrade_distils_anything_again():
    assert identity() == ("tickets-7453816575", "2986c2c3e8c31d52")
    searched = identity(accuracyBudget=0.01, settings={"teacher": {"count": 2}})
    assert searched == ("tickets-f0d7c5a3df", "ec2fce135bd80945")
