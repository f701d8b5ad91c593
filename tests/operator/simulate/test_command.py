"""`phalanx simulate` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from phalanx_cli.main import main
from tests.operator import objects


def simulate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    """Five minutes with a burst in the middle."""
    path = tmp_path / "minutes.csv"
    path.write_text("time,count\n0,24000\n120,72000\n180,24000\n300,0\n")
    return path


def test_policies_are_compared_on_a_recorded_trace(minutes, tmp_path):
    out = tmp_path / "out"
    done = simulate(minutes, "operator", "fixed:4x2", "--out", out)
    assert done.exit_code == 0, done.output
    report = json.loads((out / "minutes.json").read_text())
    assert (report["trace"], report["texts"]) == ("minutes", 120_000)
    assert [each["policy"] for each in report["policies"]] == ["operator", "fixed:4x2"]
    assert all(each["policy"] in done.output for each in report["policies"])
    operator, fixed = (each["score"] for each in report["policies"])
    assert operator["violating_s"] < fixed["violating_s"]
    assert (out / "minutes.png").read_bytes().startswith(b"\x89PNG")


def test_the_trace_that_is_written_is_the_one_that_is_read(minutes, tmp_path):
    simulate(minutes, "fixed:1x1", "--scale", "2", "--out", tmp_path / "one")
    simulate(tmp_path / "one" / "minutes.csv", "fixed:1x1", "--out", tmp_path / "two")
    one, two = (tmp_path / name / "minutes.csv" for name in ("one", "two"))
    assert one.read_text() == two.read_text()


def test_the_pool_and_the_worker_are_the_users_own(minutes, tmp_path):
    pool, profile = tmp_path / "pool.yaml", tmp_path / "profile.yaml"
    pool.write_text(
        yaml.safe_dump_all([objects.pool(replicas={"min": 3, "max": 4}, objective={"p99": "20ms"}), objects.ensemble()])
    )
    profile.write_text("capacity: {1: 200000, 2: 100000}\nlaunchMs: 0.5\ntokens: 20\nstartupSeconds: 30\n")
    done = simulate(minutes, "operator", "fixed", "--pool", pool, "--profile", profile)
    assert done.exit_code == 0, done.output
    assert "objective p99 20 ms, 3 to 4 workers" in done.output
    assert "fixed:2" in done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,5\n1,many\n", "line 2: the count 'many'"),
        ("0,5\n1,2,3\n", "line 2: 3 fields"),
        ("5,1\n4,1\n", "line 2: '4,1' is earlier"),
        ("0,0\n1,0\n", "nothing arrives"),
        ("", "the trace is empty"),
    ],
    ids=["count", "fields", "order", "silence", "empty"],
)
def test_a_bad_trace_names_the_line_at_fault(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    done = simulate(path)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_folder_that_cannot_be_made_is_said_before_the_run(tmp_path):
    (tmp_path / "file").touch()
    done = simulate("on-off", "operator", "--out", tmp_path / "file" / "out")
    assert done.exit_code == 1
    assert "Not a directory" in done.output
    assert "objective" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no trace nowhere: give a file, or one of"),
        (["on-off", "fixed:9"], "1 to 4 students"),
        (["on-off", "--scale", "0"], "not above 0"),
        (["on-off", "--pool", "missing.yaml"], "missing.yaml"),
        (["on-off", "--profile", "missing.yaml"], "missing.yaml"),
    ],
    ids=["trace", "policy", "scale", "pool", "profile"],
)
def test_what_is_wrong_is_said_in_a_line(arguments, said):
    done = simulate(*arguments)
    assert done.exit_code == 1
    assert said in done.output
