"""A Job's pod: from URIs to an artifact, and what it says of that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.distillation import (
    ENV_ENDING,
    ENV_TASK,
    MAX_ENDING_BYTES,
    PROGRESS_PATH,
    REFUSED,
    Ending,
    Outcome,
    Progress,
    Task,
    encode_ending,
    parse_ending,
    parse_progress,
)
from phalanx_distill.errors import DataError, OutputError, StoreError
from phalanx_distill.job.places import fetched_file, fetched_folder, on_disk
from phalanx_distill.job.run import FAILED, OUTCOME, ending_of, run
from phalanx_distill.job.telling import Telling, answering, progress
from phalanx_distill.lock import locked
from phalanx_distill.progress import Silent
from phalanx_grid import verify_artifact
from tests.distill import tiny

SETTINGS: dict[str, Any] = {
    "teacher": {"fit": {"epochs": 1}, "least_steps": 0},
    "students": {"count": 2, "rows": 1, "fit": {"epochs": 1}},
    "ramps": {"fit": {"epochs": 1}},
    "transfer": {"neighbours": 0},
    "max_tokens": 16,
}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two claims: one with teacher and rows, an empty one."""
    folder = tmp_path_factory.mktemp("claims")
    tiny.write_checkpoint(folder / "models" / "teacher")
    tiny.write_rows(folder / "models" / "rows.jsonl", tiny.rows(120))
    (folder / "scratch").mkdir()
    return folder


def task(**changes: Any) -> Task:
    base = Task(
        teacher="pvc://models/teacher",
        data="pvc://models/rows.jsonl",
        output="pvc://models/out/ens-1",
        settings=SETTINGS,
    )
    return msgspec.structs.replace(base, **changes)


def done(asked: Task, claims: Path) -> Outcome:
    return run(asked, claims_dir=claims, device="cpu", report=Silent())


class Bucket(MemoryFileSystem):
    """A store of objects, in memory."""

    protocol = ("s3",)
    store: dict[str, Any] = {}  # noqa: RUF012 - as in the class that it is made from
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    fsspec.register_implementation("s3", Bucket, clobber=True)
    Bucket.store.clear()
    yield Bucket()
    Bucket.store.clear()


def test_an_artifact_lies_where_the_task_says_and_another_run_finds_it(claims: Path) -> None:
    first = done(task(), claims)
    verify_artifact(claims / "models" / "out" / "ens-1", first.digest)
    assert (first.uri, first.students, first.rows) == ("pvc://models/out/ens-1", 2, 1)
    assert first.teacher_accuracy is not None
    assert first.agreement is not None
    assert done(task(), claims).digest == first.digest
    assert not list((claims / "models" / "out").glob("*.work"))


def test_teacher_rows_and_result_may_lie_in_a_store(claims: Path, bucket: Bucket) -> None:
    for file in (claims / "models" / "teacher").iterdir():
        bucket.pipe_file(f"s3://bucket/teacher/{file.name}", file.read_bytes())
    bucket.pipe_file("s3://bucket/rows.jsonl", (claims / "models" / "rows.jsonl").read_bytes())
    remote = task(teacher="s3://bucket/teacher", data="s3://bucket/rows.jsonl", output="s3://bucket/out/ens-1")
    outcome = done(remote, claims)
    assert outcome.digest == done(task(), claims).digest, "the place decides nothing"
    written = [path.rsplit("/", 1)[-1] for path in bucket.store if "/out/" in path]
    assert written.index("manifest.json") > written.index("grid.safetensors")
    assert written[-1] == OUTCOME
    bucket.rm("s3://bucket/teacher", recursive=True)
    assert done(remote, claims) == outcome, "another run needs nothing but what the first one told"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError("no answer"), StoreError),
        (ConnectionResetError("reset"), StoreError),
        (FileNotFoundError("no such key"), DataError),
        (PermissionError("forbidden"), DataError),
    ],
)
@pytest.mark.parametrize("asks", ["get_file", "find"])
def test_a_store_that_does_not_answer_may_be_asked_again_and_one_that_refuses_not(
    asks: str, error: Exception, kind: type[Exception], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    bucket.pipe_file("s3://bucket/teacher/config.json", b"{}")
    monkeypatch.setattr(Bucket, asks, fails)
    with pytest.raises(kind, match=f"s3://bucket/teacher.*{type(error).__name__}: {error}"):
        fetched_folder("s3://bucket/teacher", claims_dir=tmp_path, into=tmp_path / "teacher")


def test_what_may_be_there_is_not_made_again_while_its_store_does_not_answer(
    claims: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Bucket, "get_file", fails)
    with pytest.raises(StoreError, match=rf"s3://bucket/out/ens-1/{OUTCOME}: .*TimeoutError"):
        done(task(output="s3://bucket/out/ens-1"), claims)


def test_a_checkpoint_in_a_store_cannot_lead_out_of_its_folder(bucket: Bucket, tmp_path: Path) -> None:
    bucket.pipe_file("s3://bucket/teacher/config.json", b"{}")
    bucket.pipe_file("s3://bucket/teacher/../../../planted", b"x")
    with pytest.raises(DataError, match="a name in it leads out of the folder"):
        fetched_folder("s3://bucket/teacher", claims_dir=tmp_path, into=tmp_path / "below" / "teacher")
    assert not list(tmp_path.iterdir())


def test_rows_behind_a_signed_url_are_called_by_their_path_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        def get_file(self, source: str, target: str) -> None:
            Path(target).write_text(source)

    monkeypatch.setattr("fsspec.core.url_to_fs", lambda asked: (Server(), asked))
    url = "https://files.example/rows.jsonl?signature=a%2Fb.c/d&expires=9"
    file = fetched_file(url, claims_dir=tmp_path, into=tmp_path / "data")
    assert (Path(file).name, Path(file).read_text()) == ("rows.jsonl", url)


def test_snapshots_of_a_result_for_a_store_lie_on_the_claim_and_go_at_the_end(claims: Path, bucket: Bucket) -> None:
    asked = task(output="s3://bucket/out/ens-2", work="pvc://scratch/tries")
    fails = msgspec.structs.replace(asked, settings=SETTINGS | {"students": {"count": 2, "rows": 9}})
    with pytest.raises(Exception, match=r"students\.rows"):
        done(fails, claims)
    done(asked, claims)
    assert not list((claims / "scratch" / "tries").iterdir())


def test_a_pod_waits_for_the_one_before_to_let_go_of_the_folder(claims: Path) -> None:
    said, asked = threading.Event(), task(output="pvc://models/out/ens-3")

    class Hears(Silent):
        def say(self, line: str) -> None:
            if "waiting for the pod before" in line:
                said.set()

    with ThreadPoolExecutor(1) as pool:
        with locked(claims / "models" / "out" / "ens-3.work"):
            second = pool.submit(run, asked, claims_dir=claims, device="cpu", report=Hears())
            assert said.wait(60)
        assert second.result(60).digest == done(task(), claims).digest


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("pvc://nobody/teacher", "the claim nobody is not mounted"),
        ("pvc://models/../../etc", "write pvc://CLAIM/PATH"),
        ("pvc://../x", "write pvc://CLAIM/PATH"),
        ("ftp://host/x", "write pvc://CLAIM/PATH"),
        ("file://host/x", "write pvc://CLAIM/PATH"),
    ],
)
def test_a_uri_that_leads_nowhere_is_refused(claims: Path, uri: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        on_disk(uri, claims)


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (DataError("rows.jsonl:3: not JSON"), "rows.jsonl:3: not JSON", REFUSED),
        (OutputError("out.work.lock is held by another run"), "held by another run", FAILED),
        (StoreError("s3://bucket/rows.jsonl: TimeoutError"), "s3://bucket/rows.jsonl: TimeoutError", FAILED),
        (OSError(28, "No space left on device", "/claims/out/grid"), "/claims/out/grid: No space left", FAILED),
        (MemoryError(), "spec.distill.resources", FAILED),
        (RuntimeError("a\nb"), "RuntimeError: a b", FAILED),
    ],
)
def test_an_end_is_told_in_one_line_and_says_whether_another_try_may_help(error, says, code) -> None:
    ending, status = ending_of(error)
    assert says in ending.error
    assert status == code


@given(st.text(max_size=9000))
def test_an_ending_fits_and_stays_readable_however_long_the_error(error: str) -> None:
    data = encode_ending(Ending(error=error))
    assert len(data) <= MAX_ENDING_BYTES
    read = parse_ending(data.decode())
    assert read is not None
    assert error.startswith(read.error)


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 1e6))
def test_progress_is_a_share_and_a_time_that_fits_it(total: int, finished: int, passed_s: float) -> None:
    told = progress("teacher", total, finished, passed_s=passed_s, meanwhile=finished)
    assert 0 <= told.share <= 1
    assert (told.left_s is None) == (finished == 0)
    if finished >= total:
        assert told.share == 1


def test_what_an_earlier_pod_did_does_not_make_the_rest_look_quick() -> None:
    now = iter((0.0, 10.0))
    telling = Telling(Silent(), clock=lambda: next(now))
    with telling.stage("teacher", 4, done=1) as advance:
        advance()
    assert telling.now == Progress(stage="teacher", share=0.5, left_s=20.0)


def test_progress_is_answered_while_a_stage_runs() -> None:
    telling = Telling(Silent())
    with answering(telling, host="127.0.0.1", port=0) as port:
        with telling.stage("teacher", 4, done=1) as advance:
            advance()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{PROGRESS_PATH}", timeout=10) as answer:
                told = parse_progress(answer.read())
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/other", timeout=10)
    assert (told.stage, told.share) == ("teacher", 0.5)
    assert isinstance(told, Progress)


def test_a_pod_that_is_evicted_ends_at_once_and_the_next_goes_on(claims: Path, tmp_path: Path) -> None:
    """SIGTERM after an epoch; the second process starts from its snapshot and tells the outcome."""
    long = SETTINGS | {"teacher": {"fit": {"epochs": 40, "batch_rows": 8}, "least_steps": 0}}
    asked = task(output="pvc://models/out/ens-9", settings=long)
    first = start(asked, claims, tmp_path / "first")
    deadline = time.monotonic() + 120
    while not list((claims / "models" / "out").glob("ens-9.work/**/teacher.safetensors")):
        assert first.poll() is None, (tmp_path / "first.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 143
    short = start(asked, claims, tmp_path / "second")
    assert short.wait(240) == 0, (tmp_path / "second.log").read_text()
    assert "going on with what" in (tmp_path / "second.log").read_text()
    ending = parse_ending((tmp_path / "second").read_text())
    assert ending is not None
    assert ending.outcome is not None
    verify_artifact(claims / "models" / "out" / "ens-9", ending.outcome.digest)


def start(asked: Task, claims: Path, ending: Path) -> subprocess.Popen[bytes]:
    """The command as a pod runs it."""
    variables = {
        ENV_TASK: msgspec.json.encode(asked).decode(),
        ENV_ENDING: str(ending),
        "PHALANX_CLAIMS_DIR": str(claims),
        "PHALANX_DEVICE": "cpu",
        "PHALANX_PORT": "0",
    }
    with ending.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "phalanx_cli", "distill-job"],
            env={**os.environ, **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def test_a_refused_task_leaves_its_words_and_the_code_that_ends_the_job(claims: Path, tmp_path: Path) -> None:
    process = start(task(settings={"students": {"count": 99}}), claims, tmp_path / "end")
    assert process.wait(120) == REFUSED
    assert json.loads((tmp_path / "end").read_text())["error"].startswith("students.count: ")
