"""The folder of a running `phalanx up`, and the table that is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from phalanx_operator.local.state import StateDir, StateDirError, read_state
from phalanx_operator.local.table import line, render

READY = {"Ready": {"status": "True", "reason": "Serving", "message": "fine"}}
FAILED = {"Ready": {"status": "False", "reason": "NotLoaded", "message": "DigestMismatch: spec.artifact.digest"}}


def view() -> dict[str, Any]:
    ensemble = {
        "name": "sentiment",
        "pool": "gpus",
        "students": {"floor": 1, "ceiling": 3, "available": 4},
        "thresholds": [0.1, 0.0],
        "decision": {"reason": "Overloaded", "message": "too much: from 4 down to 3 students"},
        "exits_decision": {},
        "workers": {"ready": 1, "total": 2},
        "conditions": READY,
        "texts_per_s": 1234.5,
        "p50_s": 0.004,
        "p99_s": 0.0213,
        "queue_tokens": 17.0,
        "shed_per_s": 0.0,
        "students_used": 2.0,
    }
    pods = [{"name": "gpus-0", "restarts": 3}]
    pool = {"name": "gpus", "url": "http://127.0.0.1:8080", "replicas": 2, "ready_replicas": 1, "conditions": READY}
    adapters = [{"name": "acme", "ensemble": "sentiment", "conditions": FAILED}]
    return {"pools": [{**pool, "pods": pods}], "ensembles": [ensemble], "adapters": adapters, "notes": ["a note"]}


def text_of(shown: dict[str, Any]) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render(shown))
    return captured.get()


def test_the_table_shows_cut_load_and_why():
    text = text_of(view())
    for part in ("2 of 1-3", "0.1 0", "1234", "4ms", "21.3ms", "17", "1/2", "Overloaded: too much", "3 restarts"):
        assert part in text
    assert "sentiment:acme: DigestMismatch: spec.artifact.digest" in text
    assert "0/1 tenants served" in text
    assert "a note" in text


def test_before_the_first_look_everything_is_unknown_and_nothing_breaks():
    empty = view()
    unknown = dict.fromkeys(("texts_per_s", "p50_s", "p99_s", "queue_tokens", "shed_per_s", "students_used"))
    empty["ensembles"][0] |= {"students": {}, "decision": {}, "workers": {}, "conditions": {}, **unknown}
    assert "not looked at yet" in text_of(empty)
    assert line(empty["ensembles"][0]).startswith("sentiment: ready no, students ?-?")


def test_a_second_up_in_the_same_folder_is_refused(tmp_path):
    with (
        StateDir(tmp_path / "s", keep_logs=False),
        pytest.raises(StateDirError, match="is used by another"),
        StateDir(tmp_path / "s", keep_logs=False),
    ):
        pass


def test_nothing_is_left_behind_but_logs_that_were_asked_for(tmp_path):
    for keep in (False, True):
        folder = tmp_path / str(keep)
        with StateDir(folder, keep_logs=keep) as state:
            state.write({"at": 1}, copy=tmp_path / "copy.json")
            assert read_state(folder) == {"at": 1}
            (state.pods / "output.log").touch()
        assert read_state(folder) is None
        assert folder.exists() is keep
        assert not keep or [path.name for path in folder.rglob("*")] == ["pods", "output.log"]
    assert (tmp_path / "copy.json").read_text()


def test_what_a_killed_one_left_is_not_taken_for_one_that_runs(tmp_path):
    tmp_path.joinpath("status.json").write_text('{"at": 1}')
    assert read_state(tmp_path) is None
    tmp_path.joinpath("lock").touch()
    assert read_state(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateDirError, match="--state-dir"), StateDir(tmp_path / "file" / "s", keep_logs=False):
        pass
