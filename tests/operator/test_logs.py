"""Lines of the log."""

from __future__ import annotations

import json
import logging
import sys

import kopf

from phalanx_operator.api.types import Key
from phalanx_operator.logs import JsonFormatter, about
from phalanx_operator.observe.store import Ref


def line(message: str, *arguments: object, level: int = logging.INFO, **more: object) -> dict[str, str]:
    """What becomes of one record: exactly one line."""
    record = logging.getLogger("phalanx").makeRecord(
        "phalanx", level, "file.py", 1, message, arguments, more.pop("exc_info", None), extra=more
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_time_level_logger_and_message():
    shown = line("pool %s: applied", "ml/gpus")
    assert shown.pop("time").endswith("Z")
    assert shown == {"level": "info", "logger": "phalanx", "message": "pool ml/gpus: applied"}


def test_what_a_message_is_about_stands_beside_it():
    ensemble = Ref("StudentEnsemble", Key("ml", "sentiment"))
    shown = line("fewer students", **about(ensemble, reason="Overloaded", action="DropStudents"))
    assert (shown["ensemble"], shown["reason"], shown["action"]) == ("ml/sentiment", "Overloaded", "DropStudents")
    assert line("x", **about(Ref("ConfigMap", Key("ml", "a"))))["object"] == "ConfigMap ml/a"


def test_a_trace_stays_on_the_line_of_its_error():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        shown = line("broken", level=logging.ERROR, exc_info=sys.exc_info())
    assert shown["level"] == "error"
    assert "ValueError: two\nlines" in shown["exception"]


def test_kopfs_messages_about_objects_name_them():
    body = kopf.Body({"kind": "ServingPool", "metadata": {"name": "gpus", "namespace": "ml"}})
    from kopf._core.actions.loggers import ObjectLogger

    _, extra = ObjectLogger(body=body, settings=kopf.OperatorSettings()).process("handled", {})
    assert line("handled", **extra["extra"])["object"] == "ServingPool ml/gpus"
