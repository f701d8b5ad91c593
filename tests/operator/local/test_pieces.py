"""The pure pieces that pods as processes are made of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.local import folders
from phalanx_operator.local.launch import PHALANX, LaunchError, plan_launch
from phalanx_operator.local.paths import rewrite
from phalanx_operator.local.podstatus import PodStatus, pod_status
from phalanx_operator.local.probes import Probe, Tally
from phalanx_operator.local.rollout import Change, Member, next_change
from phalanx_operator.local.volumes import Contents, VolumeError, mount
from tests.operator.local.pods import pod, probe

MOUNTS = {"/etc/phalanx/plan": Path("/h/plan"), "/tmp": Path("/h/tmp"), "/etc": Path("/h/etc")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/phalanx/plan", "/h/plan"),
        ("/etc/phalanx/plan/plan.000", "/h/plan/plan.000"),
        ("--dir=/etc/phalanx/plan", "--dir=/h/plan"),
        ("/tmp:/etc/x", "/h/tmp:/h/etc/x"),
        ("open('/tmp/a')", "open('/h/tmp/a')"),
        ("/tmpfile", "/tmpfile"),
        ("/var/tmp/x", "/var/tmp/x"),
        ("https://host/etc/x", "https://host/etc/x"),
        ("", ""),
    ],
)
def test_mount_paths_are_rewritten_where_a_path_starts(text, expected):
    assert rewrite(text, MOUNTS) == expected


FILES = st.dictionaries(st.sampled_from(["a", "b", "plan.000", "plan.header.json"]), st.binary(max_size=5), max_size=3)


@given(st.lists(FILES, min_size=1, max_size=4))
def test_a_folder_shows_exactly_the_latest_files(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("folder")
    for files in contents:
        folders.publish(folder, files)
        assert folders.read(folder) == files
        visible = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("..")}
        assert visible == files
    assert len(list(folder.glob("..[0-9]*"))) == 1, "earlier versions are gone"


def test_the_same_files_change_nothing(tmp_path):
    assert folders.publish(tmp_path, {"a": b"1"}) is True
    target = (tmp_path / "..data").readlink()
    assert folders.publish(tmp_path, {"a": b"1"}) is False
    assert (tmp_path / "..data").readlink() == target


@pytest.mark.parametrize("name", ["../evil", "a/b", "..data", ""])
def test_names_that_would_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no file name"):
        folders.publish(tmp_path, {name: b""})


def test_claims_are_links_in_the_folder_of_claims(tmp_path):
    claim = tmp_path / "models"
    claim.mkdir()
    (claim / "manifest.json").write_text("{}")
    manifest = pod(
        volumes=[{"name": "claim-0", "persistentVolumeClaim": {"claimName": "models"}}],
        container={"volumeMounts": [{"name": "claim-0", "mountPath": "/var/lib/phalanx/claims/models"}]},
    )
    mounts = mount(manifest, Contents(claims={"models": claim}), tmp_path / "pod")
    assert (mounts["/var/lib/phalanx/claims"] / "models" / "manifest.json").read_text() == "{}"
    assert rewrite("/var/lib/phalanx/claims/models/x", mounts) == str(claim / "x")


def test_a_claim_without_a_folder_is_refused_with_what_to_do(tmp_path):
    manifest = pod(volumes=[{"name": "claim-0", "persistentVolumeClaim": {"claimName": "models"}}])
    with pytest.raises(VolumeError, match=r"there is no claim models; name the folder .*: --claim models=DIR"):
        mount(manifest, Contents(), tmp_path)


def test_the_command_of_the_image_becomes_the_one_of_this_machine():
    manifest = pod(command=["phalanx", "serve"], args=("--set", "a=$(PHALANX_POD_NAME)", "--dir=/tmp/x", "$$(HOME)"))
    launch = plan_launch(manifest, mounts=MOUNTS, contents=Contents(), host="127.0.0.2", port=41000)
    assert launch.argv == (*PHALANX, "serve", "--set", "a=w-0", "--dir=/h/tmp/x", "$(HOME)")
    assert PHALANX[0] == sys.executable
    assert launch.env["PHALANX_PLAN_DIR"] == "/h/plan"
    assert (launch.env["PHALANX_HOST"], launch.env["PHALANX_PORT"]) == ("127.0.0.2", "41000")
    assert launch.env["GREETING"] == "w-0 says hello"


def test_keys_of_secrets_and_config_maps_reach_the_environment():
    env = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    contents = Contents(secrets={"s": {"k": b"1"}}, config_maps={"c": {"k": b"2"}})
    launch = plan_launch(pod(container={"env": env}), mounts={}, contents=contents, host="127.0.0.9", port=1)
    assert {key: launch.env.get(key) for key in "ABCD"} == {"A": "1", "B": "2", "C": None, "D": "127.0.0.9"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "env A: s has no key k"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "resourceFieldRef is not supported"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['x']"}}, "fieldRef"),
    ],
)
def test_values_that_a_process_cannot_have_are_named(source, said):
    manifest = pod(container={"env": [{"name": "A", "valueFrom": source}]})
    with pytest.raises(LaunchError, match=said):
        plan_launch(manifest, mounts={}, contents=Contents(), host="127.0.0.1", port=1)


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_a_probes_verdict_needs_as_many_results_in_a_row_as_its_threshold(results, failures, successes):
    limits = Probe.of(probe("/x", failureThreshold=failures, successThreshold=successes), {"http": 1})
    tally = Tally()
    for index, ok in enumerate(results):
        before, tally = tally.passed, tally.count(ok, limits)
        if tally.passed is not before:
            run = successes if ok else failures
            assert results[index + 1 - run : index + 1] == [ok] * run
            assert tally.passed is ok


def test_a_probe_of_another_kind_is_refused():
    with pytest.raises(LaunchError, match="httpGet"):
        Probe.of({"exec": {"command": ["true"]}}, {})


MEMBERS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8).map(
    lambda pairs: [Member(name=f"p{i}", current=c, ready=r) for i, (c, r) in enumerate(pairs)]
)


@given(MEMBERS, st.integers(1, 5), st.integers(0, 2), st.integers(0, 2))
def test_a_rollout_never_runs_too_many_nor_takes_too_many_ready_ones_away(members, replicas, surge, unavailable):
    change = next_change(members, replicas=replicas, max_surge=surge, max_unavailable=unavailable)
    assert len(members) + change.create <= max(replicas + surge, len(members))
    current_surplus = sum(member.current for member in members) - replicas
    if current_surplus <= 0:
        ready = sum(member.ready for member in members)
        left = sum(member.ready for member in members if member.name not in change.stop)
        assert left >= min(ready, replicas - unavailable)


@given(MEMBERS, st.integers(0, 5), st.integers(0, 2))
def test_every_rollout_ends_with_the_wanted_pods(members, replicas, surge):
    unavailable = 1 if surge == 0 else 0
    for turn in range(60):
        change = next_change(members, replicas=replicas, max_surge=surge, max_unavailable=unavailable)
        waits = any(member.current and not member.ready for member in members)
        if change == Change() and not waits:
            break
        # New pods become ready one turn after they were made.
        members = [Member(name=each.name, current=each.current, ready=each.ready or each.current) for each in members]
        fresh = [Member(name=f"n{turn}-{i}", current=True, ready=False) for i in range(change.create)]
        members = [each for each in members if each.name not in change.stop] + fresh
    assert len(members) == replicas
    assert all(member.current for member in members)


def test_a_pods_status_reads_as_a_kubelets():
    waiting = PodStatus(phase="Running", restarts=2, exit_code=-9, waiting="CrashLoopBackOff", message="exited with -9")
    status: dict[str, Any] = pod_status(pod(), waiting, host="127.0.0.1", now=0.0)
    (container,) = status["containerStatuses"]
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "exited with -9"}}
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert {each["type"]: each["status"] for each in status["conditions"]}["Ready"] == "False"
