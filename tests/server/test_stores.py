"""Stores that hang, break off or cannot begin in the middle: each costs what lies in it, and nothing else."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from phalanx_contract.plan import Adapter, Artifact, hash_plan
from phalanx_contract.worker import LoadReason
from phalanx_grid import ArtifactCorrupt, verify_artifact
from phalanx_server.loading.cache import ArtifactCache
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.patience import Patience, store_of
from phalanx_server.loading.source import Folder
from tests.server.artifacts import Saved, ensemble, make_plan, save_ensemble
from tests.server.conftest import Shop, Start
from tests.server.waiting import until

LARGE_BYTES = 12_000_000
"""More than two of the blocks in which fsspec reads the web by default."""


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What hangs waits for this; set in the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def failure_of(call: Callable[[], object]) -> LoadFailure:
    with pytest.raises(LoadFailure) as caught:
        call()
    assert caught.value.reason is LoadReason.FETCH_FAILED
    assert caught.value.transient
    return caught.value


def test_a_call_that_hangs_is_given_up_and_a_store_of_which_several_hang_is_not_asked_again(
    hang: threading.Event,
) -> None:
    patience, asked = Patience(0.05), threading.Semaphore(0)

    def call() -> bool:
        asked.release()
        return hang.wait()

    for _ in range(4):
        failure = failure_of(lambda: patience.call("s3://dead/a", call))
        assert failure.message == "s3://dead/a: nothing has come for 0.05 s"
    refused = failure_of(lambda: patience.call("s3://dead/b", call))
    assert "4 earlier reads of s3://dead hang still" in refused.message
    assert patience.call("s3://alive/a", lambda: "data") == "data"
    assert all(asked.acquire(timeout=0) for _ in range(4))
    assert not asked.acquire(timeout=0), "the fifth was not made"
    hang.set()
    deadline_s = time.monotonic() + 30
    while True:
        try:
            assert patience.call("s3://dead/b", lambda: "back") == "back"
            break
        except LoadFailure:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def test_a_call_returns_and_raises_as_if_it_were_made_here() -> None:
    def late() -> None:
        raise TimeoutError("the driver's own")

    patience = Patience(30)
    with pytest.raises(TimeoutError, match="the driver's own"):
        patience.call("s3://x", late)
    with pytest.raises(FileNotFoundError):
        patience.call("file:///x", partial(open, "/nothing/there"))


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("https://models.example/a/b", "https://models.example"),
        ("s3://bucket/a", "s3://bucket"),
        ("pvc://claim/a", "pvc://claim"),
        ("file:///a/b", "file://"),
    ],
)
def test_a_store_is_what_answers_for_a_uri(uri: str, store: str) -> None:
    assert store_of(uri) == store


@pytest.mark.parametrize("at", ["open", "read"])
def test_a_folder_that_hangs_fails_its_fetch_and_is_read_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: threading.Event, at: str
) -> None:
    saved, original = save_ensemble(tmp_path / "grid"), Folder.open
    cache = ArtifactCache(tmp_path / "cache", claims_dir=tmp_path, stall_s=0.05)

    def hung(folder: Folder, name: str, *, at: int = 0) -> Any:
        if where == "open":
            hang.wait()
        stream, begins = original(folder, name, at=at)
        return (_Hung(stream, hang) if where == "read" else stream), begins

    where = at
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "open", hung)
        assert "nothing has come for 0.05 s" in failure_of(lambda: cache.fetch(saved.artifact)).message
    whole = ArtifactCache(tmp_path / "cache", claims_dir=tmp_path)
    verify_artifact(whole.fetch(saved.artifact), saved.digest)


class _Hung:
    """A stream whose reads hang."""

    def __init__(self, stream: Any, hang: threading.Event) -> None:
        self.stream, self.hang = stream, hang

    def read(self, size: int) -> bytes:
        self.hang.wait()
        data: bytes = self.stream.read(size)
        return data

    def close(self) -> None:
        raise AssertionError("a stream in which a call hangs is left to itself")


class Web(SimpleHTTPRequestHandler):
    """Serves a folder; knows Range or not, and breaks off answers at `cut_bytes`, if there are so many."""

    ranges: ClassVar[bool]
    cut_bytes: ClassVar[int] = 0
    asked: ClassVar[list[tuple[str, str]]]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range", "")
        self.asked.append((file.name, wanted))
        if not file.is_file():
            self.send_error(410 if "gone" in self.path else 404)
            return
        data = file.read_bytes()
        begins = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if begins and begins >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if begins else 200)
        self.send_header("Content-Length", str(len(data) - begins))
        self.end_headers()
        cut = self.cut_bytes if begins < self.cut_bytes < len(data) else len(data)
        self.wfile.write(data[begins:cut])
        self.close_connection = True


@pytest.fixture(params=[True, False], ids=["range", "no range"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[type[Web], str]]:
    kind = type("Served", (Web,), {"ranges": request.param, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield kind, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def large(path: Path) -> Saved:
    """An artifact of many bytes that is no grid: a cache only looks at digests."""
    saved = save_ensemble(path)
    data = bytes(LARGE_BYTES)
    (path / "grid.safetensors").write_bytes(data)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["grid.safetensors"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    raw = json.dumps(manifest).encode()
    (path / "manifest.json").write_bytes(raw)
    return Saved(path=path, digest=f"sha256:{hashlib.sha256(raw).hexdigest()}", labels=saved.labels)


def test_a_large_artifact_is_read_from_any_web_server_in_one_go(tmp_path: Path, web: tuple[type[Web], str]) -> None:
    kind, url = web
    saved, cache = large(tmp_path / "grid"), ArtifactCache(tmp_path / "cache", claims_dir=tmp_path)
    verify_artifact(cache.fetch(Artifact(uri=f"{url}/grid", digest=saved.digest)), saved.digest)
    assert kind.asked == [("manifest.json", ""), ("grid.safetensors", ""), ("tokenizer.json", "")]


def broken_off(folder: Path, web: tuple[type[Web], str]) -> tuple[ArtifactCache, Artifact]:
    """A cache after its server broke off in the midst of the artifact that lies in `folder`/grid."""
    kind, url = web
    cache = ArtifactCache(folder / "cache", claims_dir=folder)
    artifact = Artifact(uri=f"{url}/grid", digest=large(folder / "grid").digest)
    kind.cut_bytes = 7_000_000
    failure_of(lambda: cache.fetch(artifact))
    return cache, artifact


def test_what_a_web_server_broke_off_goes_on_there_or_from_the_beginning(
    tmp_path: Path, web: tuple[type[Web], str]
) -> None:
    kind, _ = web
    cache, artifact = broken_off(tmp_path, web)
    (part,) = (tmp_path / "cache" / "partial").glob("*/grid.safetensors.part")
    have_bytes = part.stat().st_size
    assert 0 < have_bytes <= 7_000_000
    kind.cut_bytes = 0
    kind.asked.clear()
    verify_artifact(cache.fetch(artifact), artifact.digest)
    assert kind.asked[:2] == [("manifest.json", ""), ("grid.safetensors", f"bytes={have_bytes}-")]


def test_a_file_on_a_web_server_that_is_shorter_than_what_is_there_is_refused_by_name(
    tmp_path: Path, web: tuple[type[Web], str]
) -> None:
    cache, artifact = broken_off(tmp_path, web)
    (tmp_path / "grid" / "grid.safetensors").write_bytes(b"short")
    with pytest.raises(ArtifactCorrupt, match=r"grid\.safetensors: has 5 bytes, the manifest says 12000000"):
        cache.fetch(artifact)


def test_a_web_server_that_takes_connections_and_never_answers_is_a_failed_fetch(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path / "cache", claims_dir=tmp_path, stall_s=0.2)
    with socket.create_server(("127.0.0.1", 0)) as dead:
        uri = f"http://127.0.0.1:{dead.getsockname()[1]}/grid"
        failure = failure_of(lambda: cache.fetch(Artifact(uri=uri, digest="sha256:" + "0" * 64)))
    assert uri in str(failure)


def test_what_a_web_server_calls_gone_is_not_found(tmp_path: Path, web: tuple[type[Web], str]) -> None:
    cache = ArtifactCache(tmp_path / "cache", claims_dir=tmp_path)
    for path in ("gone", "missing"):
        with pytest.raises(LoadFailure) as caught:
            cache.fetch(Artifact(uri=f"{web[1]}/{path}", digest="sha256:" + "0" * 64))
        assert caught.value.reason is LoadReason.ARTIFACT_NOT_FOUND


@pytest.fixture
def dead() -> Iterator[list[Adapter]]:
    """Tenants of a store that takes connections and never answers: more than there are threads to fetch with."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield [
            Adapter(name=f"dead-{index}", artifact=Artifact(uri=f"{uri}/{index}", digest=f"sha256:{index:064x}"))
            for index in range(40)
        ]


async def test_tenants_of_a_dead_store_keep_neither_their_model_nor_other_models_and_tenants_away(
    shop: Shop, start: Start, dead: list[Adapter], tmp_path: Path
) -> None:
    async with start(make_plan(), store_stall_s=600.0, tenants_wait_s=0.05) as running:
        plan = make_plan(ensemble("films", shop.base, adapters=dead))
        running.worker.registry.apply(hash_plan(plan), plan)
        await until(lambda: running.worker.registry.hosted["films"].shelf is not None)
        assert running.worker.problem() == ""
        assert (await running.post("/predict", {"inputs": "good"}))[0] == 200
        other = save_ensemble(tmp_path / "other", seed=9)
        more = make_plan(
            ensemble("films", shop.base, adapters=[*dead, *shop.adapters("acme")]), ensemble("songs", other)
        )
        running.worker.registry.apply(hash_plan(more), more)
        await until(lambda: running.worker.registry.hosted["songs"].shelf is not None)
        await until(lambda: all(report.name != "acme" for report in running.worker.status().adapters))
        status, _, _ = await running.post("/predict?model=films:acme", {"inputs": "good"})
        assert status == 200
        status, body, _ = await running.post("/predict?model=films:dead-0", {"inputs": "good"})
        assert (status, body["error"]) == (503, "the adapter dead-0 is being loaded")


async def test_a_tenant_that_is_late_joins_when_its_store_answers(
    shop: Shop, start: Start, monkeypatch: pytest.MonkeyPatch, hang: threading.Event
) -> None:
    original = Folder.open

    def late(folder: Folder, name: str, *, at: int = 0) -> Any:
        if folder.path == shop.tenants["acme"].path:
            hang.wait()
        return original(folder, name, at=at)

    monkeypatch.setattr(Folder, "open", late)
    async with start(make_plan(), store_stall_s=600.0, tenants_wait_s=0.05) as running:
        plan = make_plan(ensemble("films", shop.base, adapters=shop.adapters("acme", "brick")))
        running.worker.registry.apply(hash_plan(plan), plan)
        await until(lambda: running.worker.problem() == "")
        assert [report.name for report in running.worker.status().adapters] == ["acme"]
        hang.set()
        await running.settled()
        assert running.worker.status().adapters == ()
        status, _, _ = await running.post("/predict?model=films:acme", {"inputs": "good"})
        assert status == 200
