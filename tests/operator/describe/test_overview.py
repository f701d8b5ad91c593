"""`kubectl phalanx status`: one table, problems first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import ConditionType
from phalanx_operator.describe.lines import Row, Tone, columns
from phalanx_operator.describe.overview import MOST_HEALTHY, Health, entries, entry_of, overview
from phalanx_operator.describe.reading import ago, seconds_of
from phalanx_operator.describe.top import MOST_FAILING, as_json, top
from tests.operator.describe import scene
from tests.operator.objects import adapter, distilled, pool

STATUSES = st.sampled_from(["True", "False", "Unknown"])


def text(lines) -> list[str]:
    return [line.text for line in lines]


def test_problems_stand_first_and_say_what_to_do():
    lines = overview(scene.seen(), namespaces=False)
    assert [line.text.split()[0] for line in lines] == [
        "NAME",
        "ens/topics",
        "ta/globex",
        "pool/gpus",
        "ens/sentiment",
        "ta/acme",
    ]
    assert "copy the digest that `phalanx inspect` prints" in lines[1].text
    assert lines[2].text.endswith("no Secret globex-key with a key apiKey; create the Secret with the key")
    assert [line.tone for line in lines[1:3]] == [Tone.BAD, Tone.BAD]
    assert "1-2 of 4 students, 2/3 workers" in lines[4].text
    assert "Insufficient nvidia.com/gpu; see `Available`" in lines[3].text


def test_a_step_that_the_message_names_is_not_said_twice():
    assert entry_of(scene.broken_ensemble(), scene.NOW).why.count("copy the digest") == 1


def test_all_namespaces_have_a_column():
    lines = text(overview(scene.seen(), namespaces=True))
    assert lines[0].startswith("NAMESPACE   NAME")
    assert all(line.startswith("ml ") for line in lines[1:])


def test_thousands_of_tenants_are_counted_and_those_with_problems_listed():
    many = [scene.served_adapter(f"t{i}") for i in range(1000)]
    lines = text(overview(scene.seen(adapters=[*many, scene.keyless_adapter()]), namespaces=False))
    assert len(lines) == 1 + 3 + 1 + MOST_HEALTHY + 1
    assert any("ta/globex" in line for line in lines)
    assert lines[-1] == f"and {1000 - MOST_HEALTHY} more TenantAdapters that are served; --all lists them"
    assert len(overview(scene.seen(adapters=many), namespaces=False, every=True)) == 1 + 3 + 1000


def test_an_empty_namespace_says_where_to_look():
    (line,) = overview(scene.seen(pools=[], ensembles=[], adapters=[]), namespaces=False)
    assert "-A looks in all namespaces" in line.text


def test_what_the_operator_has_not_seen_is_on_its_way_and_no_failure():
    changed = {**scene.cut_ensemble(), "metadata": {**scene.cut_ensemble()["metadata"], "generation": 2}}
    assert entry_of(changed, scene.NOW).health is Health.PASSING
    new = {**adapter(), "metadata": {"name": "new", "namespace": "ml", "generation": 1}}
    assert entry_of(new, scene.NOW).health is Health.PASSING
    assert "has not looked at it yet" in entry_of(new, scene.NOW).why


def test_a_pool_that_serves_without_metrics_is_degraded():
    held = scene.condition("MetricsAvailable", "False", "MetricsStale", "the newest sample is older than 60 s")
    degraded = scene.with_status(pool(), scene.condition("Ready", "True", "WorkersReady", "m"), held, wanted=1)
    entry = entry_of(degraded, scene.NOW)
    assert entry.health is Health.DEGRADED
    assert entry.why.endswith("check the scrape interval and targets of Prometheus")


def test_a_pool_that_serves_while_a_rollout_goes_no_further_is_degraded_and_says_what_to_do():
    stuck = scene.condition("Complete", "False", "ImageNotPulled", "image w:2 cannot be pulled; 1 ready ones serve")
    ready = scene.condition("Ready", "False", "NotComplete", "ImageNotPulled: image w:2 cannot be pulled")
    entry = entry_of(scene.with_status(pool(), ready, stuck, wanted=2), scene.NOW)
    assert entry.health is Health.DEGRADED
    assert "image w:2" in entry.why and "correct `spec.worker.image`" in entry.why


@given(st.dictionaries(st.sampled_from([each.value for each in ConditionType]), STATUSES, max_size=6))
def test_every_status_gives_a_row_and_only_ready_ones_are_well(conditions):
    shown = [scene.condition(kind, status, "Loading", "m") for kind, status in conditions.items()]
    entry = entry_of(scene.with_status(pool(), *shown), scene.NOW)
    assert (entry.health is Health.WELL) <= (conditions.get("Ready") == "True")
    assert (entry.health in (Health.BROKEN, Health.PASSING)) == (conditions.get("Ready") != "True")


def test_entries_are_ordered_by_how_much_they_need_somebody():
    healths = [entry.health for entry in entries(scene.seen())]
    assert healths == sorted(healths)


@given(
    st.lists(st.tuples(st.text("ab ", max_size=9), st.text("ab", max_size=9), st.text("ab", max_size=9)), max_size=5)
)
def test_columns_begin_at_the_same_place_in_every_line(cells):
    lines = columns(("A", "B", "C"), [Row(each) for each in cells])
    first = max(1, *(len(each[0]) for each in cells)) if cells else 1
    assert all(line.text == line.text.rstrip() for line in lines)
    for line, each in zip(lines[1:], cells, strict=True):
        assert line.text.ljust(first + 3)[: first + 3] == each[0].ljust(first + 3)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (45, "45s"), (119, "119s"), (121, "2m"), (7199, "119m"), (7200, "2h"), (-5, "0s")]
)
def test_ages_are_short(seconds, shown):
    assert ago("2026-01-01T00:00:00Z", scene.NOW + seconds) == shown


def test_a_time_that_is_none_is_a_question_mark():
    assert ago("", scene.NOW) == "?"
    assert seconds_of("2026-01-01T00:00:00.123456Z") == scene.NOW


def test_top_shows_pools_ensembles_and_who_is_not_served():
    shown = "\n".join(text(top(scene.seen())))
    for part in ("ml/gpus", "2/3", "20ms", "fresh", "1-2 of 4", "0.05 0", "Overloaded, 12s ago", "1/2 tenants served"):
        assert part in shown
    assert "NotLoaded: DigestMismatch" in shown
    many = top(scene.seen(adapters=[scene.keyless_adapter()] * 9))
    assert many[-1].text.startswith(f"and {9 - MOST_FAILING} more")
    assert "no ServingPool here" in top(scene.seen(pools=[], ensembles=[], adapters=[]))[0].text


def test_the_same_as_json_has_conditions_and_decisions():
    shown = as_json(scene.seen())
    assert shown["source"] == "cluster"
    assert shown["pools"][0]["wanted"] == 3
    assert shown["ensembles"][0]["decision"]["reason"] == "Overloaded"
    assert shown["adapters"]["served"] == 1
    assert [each["name"] for each in shown["adapters"]["failing"]] == ["globex"]


def test_an_ensemble_whose_distillation_failed_is_broken_only_if_nothing_serves():
    ready = scene.condition("Ready", "False", "NotDistilled", "DistillationFailed: no such column")
    failed = scene.condition("Distilled", "False", "DistillationFailed", "no such column")
    distilling = scene.condition("Distilled", "False", "Distilling", "teacher: 5% done")
    served = scene.condition("PlanServed", "True", "PlanCurrent", "1 of 1 ready workers serve it as the plan has it")
    of = {
        Health.BROKEN: (ready, failed),
        Health.DEGRADED: (ready, failed, served),
        Health.PASSING: (ready, distilling),
    }
    for health, conditions in of.items():
        assert entry_of(scene.with_status(distilled(), *conditions), scene.NOW).health is health
