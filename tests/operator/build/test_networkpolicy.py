"""The network policy of a pool: the operator always gets through, the rest is as the pool says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.runtime import HTTP_PORT
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_pool
from phalanx_operator.build.labels import labels
from phalanx_operator.build.networkpolicy import NAMESPACE_NAME, network_policies
from tests.chart.rendering import render, the
from tests.operator import objects

label_maps = st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.just("x"), max_size=2)
selectors = st.fixed_dictionaries({}, optional={"matchLabels": label_maps})
peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}, optional={"namespaceSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": selectors}),
    st.just({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}),
)
rules = st.fixed_dictionaries(
    {}, optional={"to": st.lists(peers, max_size=2), "ports": st.just([{"protocol": "TCP", "port": 443}])}
)
policies = st.fixed_dictionaries(
    {"mode": st.just("Restricted")},
    optional={"from": st.lists(peers, max_size=3), "egress": st.lists(rules, max_size=3)},
)


def policy_of(spec, *, operator_namespace="phalanx-system"):
    pool = parse_pool(objects.pool(networkPolicy=spec))
    (policy,) = network_policies(pool, operator_namespace=operator_namespace)
    return policy["spec"]


@given(policies)
def test_every_accepted_policy_lets_the_operator_and_the_listed_peers_reach_the_workers_port_alone(spec):
    built = policy_of(spec)
    (rule,) = built["ingress"]
    operator, *listed = rule["from"]
    assert operator["namespaceSelector"] == {"matchLabels": {NAMESPACE_NAME: "phalanx-system"}}
    assert listed == spec.get("from", [{"podSelector": {}}])
    assert rule["ports"] == [{"protocol": "TCP", "port": HTTP_PORT}]


@given(policies)
def test_egress_is_restricted_exactly_where_the_pool_lists_it(spec):
    built = policy_of(spec)
    assert ("Egress" in built["policyTypes"]) == ("egress" in built) == ("egress" in spec)
    assert built.get("egress") == spec.get("egress")


def test_it_selects_the_pools_own_pods():
    pool = parse_pool(objects.pool())
    assert policy_of({"mode": "Restricted"})["podSelector"]["matchLabels"].items() <= labels(pool).items()


def test_the_operator_is_known_by_labels_that_the_chart_gives_it():
    (rule,) = policy_of({"mode": "Restricted"})["ingress"]
    given_labels = the("Deployment", render())["spec"]["template"]["metadata"]["labels"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= given_labels.items()


def test_an_operator_outside_of_a_cluster_is_known_by_its_labels_alone():
    (rule,) = policy_of({"mode": "Restricted"}, operator_namespace="")["ingress"]
    assert rule["from"][0]["namespaceSelector"] == {}


@pytest.mark.parametrize("spec", [{}, {"networkPolicy": {}}, {"networkPolicy": {"mode": "Off", "from": []}}])
def test_a_pool_that_does_not_ask_for_one_gets_none(spec):
    assert network_policies(parse_pool(objects.pool(**spec)), operator_namespace="x") == []


@pytest.mark.parametrize(
    ("policy", "field", "says"),
    [
        ({"from": [{}]}, "from[0]", "names nobody"),
        ({"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}, "from[0].ipBlock", "podSelector"),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}, "from[0].ipBlock.cidr", "10.0.0.0/8"),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]}, "from[0].ipBlock.cidr", "not a network"),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]},
            "from[0].ipBlock.except[0]",
            "not a part",
        ),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/8"]}}]},
            "from[0].ipBlock.except[0]",
            "not a part",
        ),
        ({"from": [{"podSelector": {"matchLabels": {"a b": "x"}}}]}, "from[0].podSelector.matchLabels.a b", "key"),
        ({"from": [{"podSelector": {"matchLabels": {"a": "-x"}}}]}, "from[0].podSelector.matchLabels.a", "value"),
        ({"egress": [{"to": [{}]}]}, "egress[0].to[0]", "names nobody"),
        ({"egress": [{"ports": [{"port": 0}]}]}, "egress[0].ports[0].port", "below 1"),
        ({"mode": "Strict"}, "mode", "Off, Restricted"),
    ],
)
def test_a_fault_names_its_field_and_what_to_do(policy, field, says):
    with pytest.raises(SpecError) as caught:
        parse_pool(objects.pool(networkPolicy=policy))
    found = {issue.field: issue.message for issue in caught.value.errors}
    assert says in found[f"spec.networkPolicy.{field}"]
