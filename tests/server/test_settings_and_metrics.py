"""Settings come from one place, metrics are those of the contract."""

from __future__ import annotations

import ast
import inspect
import itertools

import msgspec
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import phalanx_server.settings as module
from phalanx_contract import metrics as contract
from phalanx_contract.errors import FieldError
from phalanx_server.metrics import Metrics
from phalanx_server.settings import Settings, read_settings


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


def test_exactly_the_metrics_of_the_contract_are_registered_and_none_globally() -> None:
    metrics = Metrics()
    names = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    assert names == {metric.name for metric in contract.ALL}
    assert not any(name.startswith("phalanx_") for name in REGISTRY._names_to_collectors)


def test_labels_are_those_of_the_contract() -> None:
    metrics = Metrics()
    for metric in contract.ALL:
        labels = [str(index) for index in range(len(metric.labels))]
        if metric.kind == "counter":
            metrics.inc(metric, *labels)
        elif metric.kind == "gauge":
            metrics.set(metric, *labels, to=1)
        else:
            metrics.observe(metric, *labels, value=0.5)
    for family in text_string_to_metric_families(metrics.render().decode()):
        metric = next(metric for metric in contract.ALL if metric.name == family.name)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
