"""The queries: which series they name, and that none is counted twice."""

from __future__ import annotations

import json
import math
import re

from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.observe import promql, signals
from phalanx_operator.observe.promql import Seen
from phalanx_operator.observe.targets import Target

POD = Target(namespace="ns", pod="gpus-1", host="10.0.0.1", port=8080, ready=True)
OTHER = Target(namespace="ns", pod="gpus-2", host="fd00::1", port=8080, ready=True)

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
TARGETS = st.lists(
    st.builds(
        Target,
        namespace=st.just("ns"),
        pod=st.from_regex(r"[a-z][-a-z0-9.]{0,20}", fullmatch=True),
        host=st.ip_addresses(v=4).map(str),
        port=st.just(8080),
    ),
    max_size=6,
    unique_by=(lambda target: target.pod, lambda target: target.host),
)


def matcher(text: str, label: str) -> re.Pattern[str]:
    """The regular expression of a matcher, read as Prometheus does: a string literal, then an anchored expression."""
    found = re.search(rf'\b{label}=~("(?:[^"\\]|\\.)*")', text)
    assert found is not None
    return re.compile(json.loads(found[1], strict=False))


def test_a_query_names_the_pods_that_were_seen_and_takes_each_once():
    text = promql.query(signals.TOKENS, Seen(by_pod=(POD,)), window_s=60)
    assert text == (
        "sum by (ensemble) (max by (pod, ensemble) ("
        'rate(phalanx_offered_tokens_total{pod=~"gpus-1",namespace=~"ns|"}[60s])))'
    )


def test_workers_without_the_label_pod_are_named_by_their_address():
    text = promql.query(signals.CAPACITY, Seen(by_pod=(POD,), by_instance=(OTHER,)), window_s=60)
    assert text == (
        "sum by (ensemble, students) ("
        'max by (pod, ensemble, students) (phalanx_capacity_tokens_per_second{pod=~"gpus-1",namespace=~"ns|"})'
        " or max by (instance, ensemble, students) "
        r'(phalanx_capacity_tokens_per_second{pod="",instance=~"\\[fd00::1\\]:8080"}))'
    )


def test_a_series_keeps_all_labels_of_the_worker_until_copies_are_gone():
    """Requests are counted by code: a maximum over codes would lose all but one of them."""
    for signal in signals.SIGNALS:
        assert set(signal.labels) <= set(signal.own)
        assert f"max by ({', '.join(('pod', *signal.own))})" in promql.query(signal, Seen(by_pod=(POD,)), window_s=9)
    assert signals.REQUESTS.own == ("ensemble", "code")
    assert signals.RAMPS.own == ("ensemble", "row", "agrees", "le")


@given(NAMES, NAMES)
def test_whatever_a_pod_is_called_its_matcher_finds_it_and_no_other(name, other):
    pattern = matcher(promql.sightings([Target(namespace="ns", pod=name, host="h", port=1)], window_s=9), "pod")
    assert pattern.fullmatch(name)
    assert bool(pattern.fullmatch(other)) is (name == other)


@given(TARGETS, st.data())
def test_each_worker_is_asked_for_by_one_label_and_only_if_it_was_seen(targets, data):
    times = []
    named = data.draw(st.sets(st.sampled_from(targets))) if targets else set()
    addressed = data.draw(st.sets(st.sampled_from(targets))) if targets else set()
    for target in sorted(named | addressed, key=lambda target: target.pod):
        by_pod = {"pod": target.pod, "namespace": "ns", "instance": "relabelled"}
        times += [(by_pod, 5.0)] * (target in named) + [({"instance": target.address}, 7.0)] * (target in addressed)
    seen = promql.seen_of([*times, ({"pod": "stranger"}, 99.0), ({"instance": "192.0.2.1:1"}, math.nan)], targets)
    assert set(seen.by_pod) == named
    assert set(seen.by_instance) == addressed - named
    assert seen.count == len(named | addressed)
    assert seen.at == (7.0 if addressed - named else 5.0 if named else None), "strangers tell no time"


@given(st.floats(0.1, 1e6))
def test_a_window_is_whole_seconds_and_never_none(window_s):
    window = re.search(r"\[(\d+)s\]", promql.sightings([POD], window_s=window_s))
    assert window is not None
    assert int(window[1]) >= 1
    assert abs(int(window[1]) - window_s) <= 1
