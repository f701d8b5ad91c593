"""Specs are read with their defaults, or refused with every fault at once."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_pool
from phalanx_operator.api.types import ExitsMode, KeyRef, Prometheus
from tests.operator.objects import DIGEST, adapter, ensemble, pool

PARSERS = {"ServingPool": parse_pool, "StudentEnsemble": parse_ensemble, "TenantAdapter": parse_adapter}


def faults(obj) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        PARSERS[obj["kind"]](obj)
    return {issue.field: issue.message for issue in caught.value.errors}


def test_a_pool_without_a_spec_takes_every_default():
    bare = pool()
    del bare["spec"]
    read = parse_pool(bare)
    assert (read.replicas.min, read.replicas.max, read.replicas.desired) == (1, 1, 1)
    assert read.objective_p99_s == 0.05
    assert (read.rollout.max_surge, read.rollout.max_unavailable) == (0, 1)
    assert read.worker.device == "auto"
    assert not read.paused


def test_every_field_of_a_pool_arrives():
    read = parse_pool(
        pool(
            replicas={"min": 2, "max": 8, "count": 5},
            objective={"p99": "20ms"},
            worker={
                "image": "registry/worker:1",
                "imagePullSecrets": [{"name": "pull"}],
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "nodeSelector": {"gpu": "yes"},
                "tolerations": [{"operator": "Exists"}],
                "env": [{"name": "A", "value": "b"}],
                "terminationGracePeriodSeconds": 10,
            },
            metrics={"prometheus": {"url": "http://prometheus:9090"}, "interval": "5s", "staleAfter": "1m"},
            adapters={"deviceSlots": 7},
            artifacts={"claims": ["models"], "cacheSize": "10Gi"},
            paused=True,
            recommendOnly=True,
        )
    )
    assert read.replicas.desired == 5
    assert read.objective_p99_s == 0.02
    assert read.worker.resources == {"limits": {"nvidia.com/gpu": 1}}
    assert read.worker.image_pull_secrets == ("pull",)
    assert read.worker.termination_grace_s == 10
    assert read.metrics.prometheus == Prometheus(url="http://prometheus:9090")
    assert (read.metrics.interval_s, read.metrics.stale_after_s) == (5, 60)
    assert read.adapter_cache.device_slots == 7
    assert (read.claims, read.cache_bytes) == (("models",), 10 * 2**30)
    assert read.paused
    assert read.recommend_only


def test_a_guarded_prometheus_arrives_with_the_keys_that_secrets_mostly_have():
    token = {"credentials": {"name": "prom"}}
    tls = {"ca": {"configMap": {"name": "roots", "key": "service-ca.crt"}}, "serverName": "thanos"}
    spec = {
        "url": "https://thanos:9091/api/",
        "authorization": token,
        "tlsConfig": tls,
        "timeout": "3s",
        "orgID": "a|b",
    }
    at = "spec.metrics.prometheus"
    assert parse_pool(pool(metrics={"prometheus": spec})).metrics.prometheus == Prometheus(
        url="https://thanos:9091/api",
        timeout_s=3.0,
        token=KeyRef(kind="Secret", name="prom", key="token", field=f"{at}.authorization.credentials"),
        ca=KeyRef(kind="ConfigMap", name="roots", key="service-ca.crt", field=f"{at}.tlsConfig.ca.configMap"),
        server_name="thanos",
        org_id="a|b",
    )


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        ({"url": "http://p", "authorization": {"credentials": {"name": "a"}}}, "url", "must start with https://"),
        ({"url": "http://p", "tlsConfig": {}}, "url", "must start with https://"),
        ({"url": "https://user:word@p"}, "url", "holds credentials"),
        ({"url": "https://p?token=word"}, "url", "must end before '?'"),
        ({"url": "https://:9090"}, "url", "lacks the host"),
        ({"url": "https://p:99999999"}, "url", "is not a URL"),
        ({"url": "https://p", "authorization": {}}, "authorization.credentials", "name a Secret of the same namespace"),
        ({"url": "https://p", "tlsConfig": {"ca": {}}}, "tlsConfig.ca", "must have either secret or configMap"),
        (
            {"url": "https://p", "tlsConfig": {"ca": {"secret": {"name": "a"}, "configMap": {"name": "a"}}}},
            "tlsConfig.ca",
            "must have either secret or configMap",
        ),
        (
            {"url": "https://p", "tlsConfig": {"insecureSkipVerify": True}},
            "tlsConfig.insecureSkipVerify",
            "is not a field",
        ),
        ({"url": "http://p", "timeout": "61s"}, "timeout", "61s is not within 1s and 60s"),
        ({"url": "http://p", "timeout": "500ms"}, "timeout", "500ms is not within 1s and 60s"),
        ({"url": "http://p", "orgID": "a b"}, "orgID", "does not have the right form"),
    ],
)
def test_a_prometheus_that_could_not_be_asked_safely_is_refused(spec, field, said):
    found = faults(pool(metrics={"prometheus": spec}))
    assert found.keys() == {f"spec.metrics.prometheus.{field}"}
    assert said in found[f"spec.metrics.prometheus.{field}"]
    assert "word" not in str(found)


def test_every_field_of_an_ensemble_and_an_adapter_arrives():
    model = parse_ensemble(
        ensemble(
            students={"min": 2, "max": 6},
            exits={"mode": "Fixed", "thresholds": [0, 0.1]},
            accuracy={"loss": 0, "burstLoss": 1},
        )
    )
    assert (model.students.min, model.students.max) == (2, 6)
    assert (model.exits.mode, model.exits.thresholds) == (ExitsMode.FIXED, (0.0, 0.1))
    assert (model.accuracy.loss, model.accuracy.burst_loss) == (0.0, 1.0)
    tenant = parse_adapter(adapter(weight=3, rateLimit={"tokensPerSecond": 10}, apiKeySecret={"name": "key"}))
    assert (tenant.ensemble, tenant.weight, tenant.rate_tokens_per_s, tenant.api_key_secret) == (
        "sentiment",
        3,
        10.0,
        "key",
    )


def test_all_faults_are_told_at_once():
    found = faults(
        pool(
            name="gpus",
            replicas={"min": 3, "max": 2},
            rollout={"maxUnavailable": 0},
            objective={"p99": "20"},
            metrics={"interval": "2m"},
            worker={"env": [{"name": "PHALANX_PORT"}, {"name": "A"}, {"name": "A"}, {}]},
            typo=1,
        )
    )
    assert set(found) == {
        "spec.replicas.min",
        "spec.rollout.maxUnavailable",
        "spec.objective.p99",
        "spec.metrics.staleAfter",
        "spec.worker.env[0].name",
        "spec.worker.env[2].name",
        "spec.worker.env[3].name",
        "spec.typo",
    }


@pytest.mark.parametrize(
    ("obj", "field", "says"),
    [
        (ensemble(students={"min": 3, "max": 2}), "spec.students.min", "lower min or raise max"),
        (ensemble(students={"min": 0}), "spec.students.min", "0 is below 1"),
        (ensemble(students={"min": True}), "spec.students.min", "not of type integer"),
        (ensemble(students={"min": 33}), "spec.students.min", "above 32"),
        (ensemble(artifact={"uri": "file:///m", "digest": "sha256:12"}), "spec.artifact.digest", "phalanx inspect"),
        (ensemble(artifact={"uri": "ftp://m/x", "digest": DIGEST}), "spec.artifact.uri", "s3://"),
        (ensemble(artifact={"uri": "file://m/x", "digest": DIGEST}), "spec.artifact.uri", "three slashes"),
        (ensemble(artifact={"uri": "pvc://m/../x", "digest": DIGEST}), "spec.artifact.uri", "'..'"),
        (ensemble(artifact={"uri": "pvc:///x", "digest": DIGEST}), "spec.artifact.uri", "lacks the claim"),
        (ensemble(artifact={"uri": "s3:///x", "digest": DIGEST}), "spec.artifact.uri", "lacks the bucket"),
        (ensemble(artifact={"uri": "https://u:p@h/x", "digest": DIGEST}), "spec.artifact.uri", "credentials"),
        (ensemble(artifact={"uri": "https://h/x?sig=s", "digest": DIGEST}), "spec.artifact.uri", "no signed URL"),
        (ensemble(artifact={"digest": DIGEST}), "spec.artifact.uri", "is required"),
        (ensemble(exits={"mode": "Fixed"}), "spec.exits.thresholds", "add thresholds"),
        (ensemble(exits={"mode": "Auto", "thresholds": [0.1]}), "spec.exits.thresholds", "mode Fixed"),
        (ensemble(exits={"mode": "Maybe"}), "spec.exits.mode", "Off, Fixed, Auto"),
        (ensemble(accuracy={"loss": 0.5}), "spec.accuracy.burstLoss", "raise burstLoss"),
        (ensemble(accuracy={"loss": float("nan")}), "spec.accuracy.burstLoss", "lower loss"),
        (adapter(weight=0), "spec.weight", "0 is below 1"),
        (adapter(rateLimit={"tokensPerSecond": 0}), "spec.rateLimit.tokensPerSecond", "not above 0"),
        (pool(objective={"p99": "0ms"}), "spec.objective.p99", "not within"),
        (pool(artifacts={"cacheSize": "10GB"}), "spec.artifacts.cacheSize", "such as 20Gi"),
        (pool(worker={"env": [{"name": "A", "value": 5}]}), "spec.worker.env[0].value", "quotes"),
        (pool(worker={"resources": {"limits": 3}}), "spec.worker.resources.limits", "nvidia.com/gpu: 1"),
        (pool(worker={"resources": {"limits": {"cpu": True}}}), "spec.worker.resources.limits.cpu", "no amount"),
        (pool(name="1st"), "metadata.name", "start with a letter"),
        (pool(name="a.b"), "metadata.name", "no dots"),
    ],
)
def test_a_fault_names_its_field_and_what_to_do(obj, field, says):
    assert says in faults(obj)[field]


@pytest.mark.parametrize(("make", "longest"), [(pool, 48), (ensemble, 52), (adapter, 52)])
def test_a_name_that_children_cannot_take_is_refused(make, longest):
    fits = make(name="x" * longest)
    PARSERS[fits["kind"]](fits)
    with pytest.raises(SpecError) as caught:
        PARSERS[fits["kind"]](make(name="x" * 63))
    assert caught.value.reason is Reason.INVALID_NAME
    assert f"at most {longest}" in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 100) | st.floats(0, 2) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.sampled_from([pool(), ensemble(), adapter()]), st.data())
def test_any_value_in_any_field_is_taken_or_refused_with_a_path(valid, data):
    from phalanx_operator.api.check import object_schema_of

    obj = copy.deepcopy(valid)
    field = data.draw(st.sampled_from(sorted(object_schema_of(obj["kind"])["properties"]["spec"]["properties"])))
    obj["spec"][field] = data.draw(json_values)
    try:
        PARSERS[obj["kind"]](obj)
    except SpecError as error:
        assert error.errors
        assert all(issue.field.startswith(("spec", "metadata")) and issue.message for issue in error.errors)


def test_a_spec_of_the_wrong_type_is_refused():
    assert "spec" in faults({**pool(), "spec": "x"})
