"""Settings come from one place, metrics are those of the contract."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, Metric
from prometheus_client.parser import text_string_to_metric_families

import phalanx_server.settings as module
from phalanx_contract import metrics as contract
from phalanx_contract.errors import FieldError
from phalanx_contract.runtime import OPERATOR_ENV
from phalanx_server.histograms import Histogram as OurHistogram
from phalanx_server.metrics import Metrics
from phalanx_server.reference import reference
from phalanx_server.settings import Settings, read_settings, variable


def test_options_go_over_the_environment_and_that_over_defaults() -> None:
    env = {"PHALANX_PORT": "9000", "PHALANX_WORKER_BATCH_TEXTS": "7", "PHALANX_DEVICE": "cpu", "HOME": "/"}
    settings = read_settings(env, port=0, host=None)
    assert (settings.port, settings.batch_texts, settings.device) == (0, 7, "cpu")
    assert settings.host == Settings().host


@pytest.mark.parametrize(
    ("env", "options", "field"),
    [
        ({"PHALANX_WORKER_BATCH_TEXT": "7"}, {}, "PHALANX_WORKER_BATCH_TEXT"),
        ({}, {"colour": "red"}, "colour"),
        ({"PHALANX_PORT": "many"}, {}, "port"),
        ({}, {"batch_padding": 2.0}, "batch_padding"),
        ({}, {"device": "tpu"}, "device"),
        ({"PHALANX_PORT": "tcp://10.0.0.1:80"}, {}, "port"),
    ],
)
def test_unknown_names_and_bad_values_are_refused_by_name(
    env: dict[str, str], options: dict[str, object], field: str
) -> None:
    with pytest.raises(FieldError) as caught:
        read_settings(env, **options)
    assert caught.value.field == field


def test_what_the_operator_sets_in_a_pod_is_understood() -> None:
    settings = read_settings({name: "8" if name != "PHALANX_DEVICE" else "cpu" for name in OPERATOR_ENV})
    assert (settings.port, settings.adapter_slots, settings.device) == (8, 8, "cpu")


def test_every_setting_is_documented_under_it() -> None:
    (body,) = [
        node.body for node in ast.parse(inspect.getsource(module)).body if getattr(node, "name", "") == "Settings"
    ]
    documented = [
        statement.target.id
        for statement, following in itertools.pairwise(body)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    ]  # fmt: skip
    assert documented == [field.name for field in msgspec.structs.fields(Settings)]


def test_the_page_of_settings_has_each_by_a_variable_that_the_worker_reads() -> None:
    page = reference()
    named = re.findall(r"^\| `(PHALANX_\w+)` \|", page, re.MULTILINE)
    assert named == sorted(named, key=OPERATOR_ENV.__contains__), "those that users may set come first"
    assert len(named) == len(set(named)) == len(Settings.__struct_fields__)
    for name, field in ((variable(field.name), field) for field in msgspec.structs.fields(Settings)):
        assert name in named
        assert read_settings({name: str(field.default)}) == Settings(), name
    assert "| `PHALANX_WORKER_STALL_S` | seconds above 0, to 3600 | `60` | A batch that takes longer" in page
    assert "| `PHALANX_DEVICE` | `spec.worker.device` |" in page


def test_exactly_the_metrics_of_the_contract_are_registered_and_none_globally() -> None:
    metrics = Metrics()
    names = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    assert names == {metric.name for metric in contract.ALL}
    assert not any(name.startswith("phalanx_") for name in REGISTRY._names_to_collectors)


@given(st.lists(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), max_size=20), max_size=5))
def test_histograms_count_batches_as_the_client_library_counts_values(batches: list[list[tuple[float, bool]]]) -> None:
    registry, name = CollectorRegistry(), contract.RAMP_SCORE.name
    reference = Histogram(name, "h", contract.RAMP_SCORE.labels, buckets=contract.RAMP_SCORE.buckets, registry=registry)
    ours = OurHistogram(contract.RAMP_SCORE)
    for batch in batches:
        for score, agrees in batch:
            reference.labels("e", 1, str(agrees).lower()).observe(score)
        for same in (True, False):
            ours.observe(("e", 1, str(same).lower()), np.array([s for s, a in batch if a == same], np.float32))
    assert samples(ours.collect()) == pytest.approx(samples(reference.collect()))


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Values by series; the library's own time stamps left out."""
    return {
        (sample.name, *sorted(f"{key}={value}" for key, value in sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_labels_are_those_of_the_contract() -> None:
    metrics = Metrics()
    for metric in contract.ALL:
        labels = [str(index) for index in range(len(metric.labels))]
        if metric.kind == "counter":
            metrics.inc(metric, *labels)
        elif metric.kind == "gauge":
            metrics.set(metric, *labels, to=1)
        else:
            metrics.observe(metric, *labels, values=0.5)
    for family in text_string_to_metric_families(metrics.render().decode()):
        metric = next(metric for metric in contract.ALL if metric.name == family.name)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
