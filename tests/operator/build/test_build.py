"""The manifests of a pool: complete, restricted, and the same for every plan."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.limits import MAX_PARTS, MAX_POOL_NAME
from phalanx_contract.plan import Artifact, Ensemble, Plan
from phalanx_contract.runtime import (
    ANNOTATION_BUILT,
    CLAIMS_DIR,
    ENV_CACHE_BYTES,
    ENV_POD_NAME,
    HTTP_PORT,
    OPERATOR_ENV,
)
from phalanx_contract.wire import pack, unpack
from phalanx_operator.api.parse import parse_pool
from phalanx_operator.build import Versions, build_pool
from phalanx_operator.build.labels import selector, selector_text
from tests.operator import objects

VERSIONS = Versions(worker_image="phalanx-worker:1.2.3")
LABELS = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of", "managed-by")}


def a_plan(*names: str) -> Plan:
    artifact = Artifact(uri="file:///m", digest=objects.DIGEST)
    ensembles = tuple(Ensemble(name=name, artifact=artifact) for name in names)
    return Plan(namespace="default", pool="gpus", objective_p99_s=0.05, ensembles=ensembles)


def build(name="gpus", *, plan=None, replicas=1, part_bytes=700_000, versions=VERSIONS, **spec):
    plan_hash, files = pack(plan or a_plan("a"), max_part_bytes=part_bytes)
    pool = parse_pool(objects.pool(name, **spec))
    return build_pool(pool, plan_files=files, plan_hash=plan_hash, replicas=replicas, versions=versions)


def of(manifests, kind):
    return next(each for each in manifests if each["kind"] == kind)


def container(manifests):
    return of(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]


pools = st.fixed_dictionaries(
    {},
    optional={
        "objective": st.just({"p99": "1s"}),
        "paused": st.booleans(),
        "adapters": st.just({"deviceSlots": 3}),
        "artifacts": st.just({"claims": ["models", "more"], "cacheSize": "1Gi"}),
        "rollout": st.just({"maxSurge": 1, "maxUnavailable": 0}),
        "worker": st.fixed_dictionaries(
            {},
            optional={
                "image": st.just("own/worker:2"),
                "imagePullPolicy": st.just("Always"),
                "imagePullSecrets": st.just([{"name": "pull"}]),
                "resources": st.just({"limits": {"nvidia.com/gpu": 1}}),
                "nodeSelector": st.just({"gpu": "yes"}),
                "tolerations": st.just([{"operator": "Exists"}]),
                "runtimeClassName": st.just("nvidia"),
                "priorityClassName": st.just("high"),
                "device": st.sampled_from(["auto", "cpu", "cuda"]),
                "env": st.just([{"name": "A", "value": "b"}]),
            },
        ),
    },
)
pool_names = st.from_regex(r"[a-z]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True)


@given(pools, pools, st.integers(0, 9), st.integers(0, 9))
def test_selectors_never_change_in_a_pools_life(before, after, few, many):
    old, new = build(replicas=few, **before), build(replicas=many, **after)
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert of(old, kind)["spec"]["selector"] == of(new, kind)["spec"]["selector"]


@given(pools, st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, max_size=5), st.integers(200, 900))
def test_a_plan_changes_nothing_but_config_maps(spec, names, part_bytes):
    one, other = build(**spec), build(plan=a_plan(*names), part_bytes=part_bytes, **spec)
    assert [each for each in one if each["kind"] != "ConfigMap"] == [
        each for each in other if each["kind"] != "ConfigMap"
    ]


@given(pool_names, pools)
def test_every_child_has_the_labels_the_owner_and_a_name_that_fits(name, spec):
    manifests = build(name, part_bytes=200, **spec)
    for child in manifests:
        meta = child["metadata"]
        assert meta["labels"].keys() >= LABELS
        assert all(len(value) <= 63 for value in meta["labels"].values())
        assert re.fullmatch(r"[a-z][-a-z0-9]{0,62}", meta["name"])
        assert meta["namespace"] == "default"
        (owner,) = meta["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ServingPool", f"uid-{name}", True)
    assert len({(child["kind"], child["metadata"]["name"]) for child in manifests}) == len(manifests)


@given(pools)
def test_pods_carry_the_selectors_labels(spec):
    manifests = build(**spec)
    labels = of(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        chosen = of(manifests, kind)["spec"]["selector"]
        assert (chosen.get("matchLabels") or chosen).items() <= labels.items()


@given(pools)
def test_mounts_and_volumes_agree(spec):
    pod = of(build(**spec), "Deployment")["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts} == {volume["name"] for volume in pod["volumes"]}
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)


@pytest.mark.parametrize("part_bytes", [200, 700_000])
def test_the_config_maps_hold_the_plan(part_bytes):
    plan = a_plan(*(f"m{index}" for index in range(20)))
    maps = [each for each in build(plan=plan, part_bytes=part_bytes) if each["kind"] == "ConfigMap"]
    files = {key: base64.b64decode(value) for each in maps for key, value in each["binaryData"].items()}
    plan_hash, read = unpack(files)
    assert read == plan
    assert {each["metadata"]["annotations"]["phalanx.dev/plan"] for each in maps} == {plan_hash}
    mounted = of(build(), "Deployment")["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    names = [source["configMap"]["name"] for source in mounted]
    assert [each["metadata"]["name"] for each in maps] == names[: len(maps)]
    assert len(names) == MAX_PARTS
    assert all(source["configMap"]["optional"] for source in mounted)


def test_the_longest_pool_name_fits_everywhere():
    names = [each["metadata"]["name"] for each in build("p" * MAX_POOL_NAME)]
    assert max(map(len, names)) <= 63


def test_pods_are_restricted():
    pod = of(build(), "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert of(build(), "ServiceAccount")["automountServiceAccountToken"] is False


def test_the_container_runs_a_worker_with_the_contracts_variables():
    spec = {"env": [{"name": "A", "value": "b"}], "device": "cuda"}
    worker = container(build(worker=spec, artifacts={"cacheSize": "1Gi"}))
    assert worker["command"] == ["phalanx", "serve"]
    env = {entry["name"]: entry.get("value") for entry in worker["env"]}
    assert env.keys() >= OPERATOR_ENV
    assert (env["PHALANX_DEVICE"], env["A"], env["PHALANX_PORT"]) == ("cuda", "b", str(HTTP_PORT))
    assert env[ENV_POD_NAME] is None, "it comes from the pod's own metadata"
    assert worker["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": "http"}
    assert worker["livenessProbe"]["httpGet"] == worker["startupProbe"]["httpGet"]


def test_the_workers_understand_every_variable():
    from phalanx_server.settings import read_settings

    worker = container(build(worker={"terminationGracePeriodSeconds": 20}, adapters={"deviceSlots": 5}))
    settings = read_settings({entry["name"]: entry.get("value", "pod") for entry in worker["env"]})
    assert (settings.adapter_slots, settings.drain_s) == (5, 15.0)


def test_gpus_and_claims_are_passed_through():
    manifests = build(worker={"resources": {"limits": {"nvidia.com/gpu": 2}}}, artifacts={"claims": ["models"]})
    worker = container(manifests)
    assert worker["resources"] == {"limits": {"nvidia.com/gpu": "2"}}, "quantities as the API server writes them"
    mount = next(mount for mount in worker["volumeMounts"] if mount["mountPath"] == f"{CLAIMS_DIR}/models")
    assert mount["readOnly"]


@pytest.mark.parametrize(("image", "runs"), [({}, "phalanx-worker:1.2.3"), ({"image": "own:1"}, "own:1")])
def test_the_image_is_the_pools_or_the_releases(image, runs):
    assert container(build(worker=image))["image"] == runs


def test_replicas_can_be_left_to_whoever_owns_the_scale():
    assert "replicas" not in of(build(replicas=None), "Deployment")["spec"]
    assert of(build(replicas=0), "Deployment")["spec"]["replicas"] == 0


def test_a_rolling_update_takes_a_worker_away_first():
    strategy = of(build(), "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0, "maxUnavailable": 1}


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
def test_the_disruption_budget_speaks_the_clusters_version(version):
    versions = Versions(worker_image="x", policy_api=version)
    assert of(build(versions=versions), "PodDisruptionBudget")["apiVersion"] == version


def test_workers_that_are_not_ready_may_be_evicted_where_the_cluster_knows_how_to_say_so():
    recent = Versions(worker_image="x", eviction_policy=True)
    assert of(build(versions=recent), "PodDisruptionBudget")["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert "unhealthyPodEvictionPolicy" not in of(build(), "PodDisruptionBudget")["spec"]


def test_the_selector_as_text_names_the_same_pods():
    pool = parse_pool(objects.pool())
    assert dict(part.split("=") for part in selector_text(pool).split(",")) == selector(pool)


def test_every_child_carries_a_hash_of_all_that_was_asked_for():
    def hashes(**spec):
        return {each["kind"]: each["metadata"]["annotations"][ANNOTATION_BUILT] for each in build(**spec)}

    once = hashes()
    assert once == hashes()
    assert len(set(once.values())) == len(once)
    changed = {kind for kind, digest in hashes(worker={"image": "own/worker:2"}).items() if digest != once[kind]}
    assert changed == {"Deployment"}


def test_a_worker_knows_the_bound_of_its_disk_and_without_one_the_pods_stay_as_they_are():
    def cache_bytes(**spec):
        return [each["value"] for each in container(build(**spec))["env"] if each["name"] == ENV_CACHE_BYTES]

    assert cache_bytes(artifacts={"cacheSize": "1Gi"}) == [str(2**30)]
    assert cache_bytes() == []
