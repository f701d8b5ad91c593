"""Artifacts on their way in: whole or not at all, once, from wherever they are."""

from __future__ import annotations

import asyncio
import errno
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.plan import Artifact
from phalanx_contract.worker import LoadReason
from phalanx_grid import ArtifactCorrupt, DigestMismatch, Grid, verify_artifact
from phalanx_grid.execution import Executor, make_executor
from phalanx_server.loading.back_off import delays
from phalanx_server.loading.cache import ArtifactCache
from phalanx_server.loading.disk import on_disk
from phalanx_server.loading.failure import LoadFailure, as_failure
from phalanx_server.loading.loader import Loader
from phalanx_server.loading.source import Folder
from phalanx_server.serving.attempts import attempt
from phalanx_server.settings import Settings
from tests.server.artifacts import STUDENTS, Saved, save_ensemble


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache", claims_dir=tmp_path / "claims")


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return save_ensemble(tmp_path / "store" / "grid")


class Opened:
    """Counts how often each file of a folder is opened, and can break off a copy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.break_at = ""
        original = Folder.open

        def counted(folder: Folder, name: str, *, at: int = 0) -> Any:
            self.names.append(name)
            stream, begins = original(folder, name, at=at)
            return _Broken(stream) if name == self.break_at else stream, begins

        monkeypatch.setattr(Folder, "open", counted)


class _Broken:
    """Gives half of a file, then fails as a network does."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.reads = stream, 0

    def close(self) -> None:
        self.stream.close()

    def read(self, size: int) -> bytes:
        self.reads += 1
        if self.reads > 1:
            raise OSError("connection reset")
        data: bytes = self.stream.read(1000)
        return data


def test_a_fetched_artifact_is_whole_and_is_not_fetched_again(
    cache: ArtifactCache, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(monkeypatch)
    path = cache.fetch(saved.artifact)
    verify_artifact(path, saved.digest)
    assert opened.names[0] == "manifest.json"
    count = len(opened.names)
    assert cache.fetch(saved.artifact) == path
    assert len(opened.names) == count


def test_an_interrupted_fetch_goes_on_where_it_stopped(
    cache: ArtifactCache, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(monkeypatch)
    opened.break_at = "tokenizer.json"
    with pytest.raises(LoadFailure) as caught:
        cache.fetch(saved.artifact)
    assert caught.value.reason is LoadReason.FETCH_FAILED
    assert caught.value.transient
    opened.break_at, opened.names = "", []
    verify_artifact(cache.fetch(saved.artifact), saved.digest)
    assert opened.names == ["manifest.json", "tokenizer.json"], "the grid was already there"


def test_a_volume_without_room_is_told_and_what_could_not_be_completed_makes_room(
    cache: ArtifactCache, saved: Saved, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(LoadFailure, match=r"^CacheFull: no room for .* in the worker's volume") as caught:
            cache.fetch(saved.artifact)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.field == "spec.artifacts.cacheSize of the pool"
    assert caught.value.transient
    assert [*(tmp_path / "cache" / "partial").iterdir()] == []
    verify_artifact(cache.fetch(saved.artifact), saved.digest)


def two(tmp_path: Path) -> tuple[Saved, Saved]:
    return save_ensemble(tmp_path / "store" / "a", seed=1), save_ensemble(tmp_path / "store" / "b", seed=2)


def bound_of(cache: ArtifactCache, *artifacts: Saved) -> int:
    """What these take on the disk."""
    files = (file for each in artifacts for file in cache.fetch(each.artifact).rglob("*"))
    return sum(on_disk(file.stat().st_size) for file in files if file.is_file())


def test_what_no_plan_names_makes_way_within_the_bound_and_stays_as_long_as_there_is_room(tmp_path: Path) -> None:
    old, new = two(tmp_path)
    both = bound_of(ArtifactCache(tmp_path / "sizes", claims_dir=tmp_path), old, new)
    for limit, stays in ((both, True), (both - 1, False)):
        cache = ArtifactCache(tmp_path / str(limit), claims_dir=tmp_path, limit_bytes=limit)
        path = cache.fetch(old.artifact)
        cache.keep([new.digest])
        verify_artifact(cache.fetch(new.artifact), new.digest)
        assert path.is_dir() is stays


@pytest.mark.parametrize("told", [True, False])
def test_what_is_needed_is_never_dropped_and_what_has_no_room_beside_it_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    old, new = two(tmp_path)
    limit = bound_of(ArtifactCache(tmp_path / "sizes", claims_dir=tmp_path), old, new) - 1
    cache = ArtifactCache(tmp_path / "cache", claims_dir=tmp_path, limit_bytes=limit)
    path = cache.fetch(old.artifact)
    if told:
        cache.keep([old.digest, new.digest])
    opened = Opened(monkeypatch)
    with pytest.raises(LoadFailure, match=r"^CacheFull: its \d+ bytes are \d+ more than there is room for") as caught:
        cache.fetch(new.artifact)
    assert caught.value.transient
    assert opened.names == ["manifest.json"]
    verify_artifact(path, old.digest)


def test_on_a_full_disk_what_no_plan_names_makes_way_without_a_bound(
    cache: ArtifactCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = two(tmp_path)
    path, original = cache.fetch(old.artifact), Folder.open

    def full(folder: Folder, name: str, *, at: int = 0) -> Any:
        if path.is_dir() and name != "manifest.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(folder, name, at=at)

    monkeypatch.setattr(Folder, "open", full)
    with pytest.raises(LoadFailure, match="CacheFull"):
        cache.fetch(new.artifact)
    assert path.is_dir(), "no plan was seen yet: it may be in use"
    cache.keep([new.digest])
    verify_artifact(cache.fetch(new.artifact), new.digest)
    assert not path.is_dir()


def test_many_threads_fetch_once(cache: ArtifactCache, saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(cache.fetch, [saved.artifact] * 16))
    assert len(paths) == 1
    assert sorted(opened.names) == ["grid.safetensors", "manifest.json", "tokenizer.json"]


def test_another_artifact_than_the_digest_names_is_refused(cache: ArtifactCache, saved: Saved) -> None:
    with pytest.raises(DigestMismatch) as caught:
        cache.fetch(Artifact(uri=saved.artifact.uri, digest="sha256:" + "0" * 64))
    failure = as_failure(caught.value)
    assert (failure.reason, failure.field, failure.transient) == (
        LoadReason.DIGEST_MISMATCH, "spec.artifact.digest", False,
    )  # fmt: skip


@pytest.mark.parametrize("damage", ["flip", "truncate", "extend", "remove"])
def test_a_damaged_file_is_refused_by_name_and_leaves_nothing_behind(
    cache: ArtifactCache, saved: Saved, damage: str, tmp_path: Path
) -> None:
    file = saved.path / "grid.safetensors"
    data = file.read_bytes()
    if damage == "remove":
        file.unlink()
    else:
        broken = {"flip": data[:-1] + bytes([data[-1] ^ 1]), "truncate": data[:-1], "extend": data + b"x"}
        file.write_bytes(broken[damage])
    with pytest.raises(ArtifactCorrupt, match=r"grid\.safetensors"):
        cache.fetch(saved.artifact)
    assert not (tmp_path / "cache" / "sha256").exists()
    file.write_bytes(data)
    verify_artifact(cache.fetch(saved.artifact), saved.digest)


def test_a_claim_is_read_below_its_mount(cache: ArtifactCache, tmp_path: Path) -> None:
    saved = save_ensemble(tmp_path / "claims" / "models" / "deep" / "grid")
    verify_artifact(cache.fetch(Artifact(uri="pvc://models/deep/grid", digest=saved.digest)), saved.digest)


@pytest.mark.parametrize(
    "uri", ["pvc://models/../secret", "pvc:///path", "pvc://../x", "local:///tmp", "http::file:///etc", "file://host/x"]
)
def test_addresses_that_lead_elsewhere_are_refused(cache: ArtifactCache, tmp_path: Path, uri: str) -> None:
    (tmp_path / "claims" / "models").mkdir(parents=True)
    with pytest.raises(LoadFailure) as caught:
        cache.fetch(Artifact(uri=uri, digest="sha256:" + "0" * 64))
    assert caught.value.reason is LoadReason.ARTIFACT_UNSUPPORTED


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, saved: Saved) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(saved.path.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_artifact_behind_http_is_fetched(cache: ArtifactCache, saved: Saved, web: str) -> None:
    verify_artifact(cache.fetch(Artifact(uri=f"{web}/grid", digest=saved.digest)), saved.digest)


def test_nothing_behind_http_is_not_found_and_no_server_is_a_failed_fetch(
    cache: ArtifactCache, saved: Saved, web: str
) -> None:
    with pytest.raises(LoadFailure) as missing:
        cache.fetch(Artifact(uri=f"{web}/other", digest=saved.digest))
    assert missing.value.reason is LoadReason.ARTIFACT_NOT_FOUND
    with pytest.raises(LoadFailure) as dead:
        cache.fetch(Artifact(uri="http://127.0.0.1:9/grid", digest=saved.digest))
    assert dead.value.reason is LoadReason.FETCH_FAILED


def test_a_loaded_model_is_warm_and_knows_its_speed(settings: Settings, saved: Saved) -> None:
    model = Loader(settings).model("films", saved.artifact)
    assert len(model.capacity.costs) == STUDENTS
    assert all(model.capacity.tokens_per_s(k) > 0 for k in range(1, STUDENTS + 1))
    assert model.fidelity == "fp32"


def test_a_cached_copy_that_has_rotted_is_dropped_so_that_the_next_attempt_mends_it(
    settings: Settings, saved: Saved
) -> None:
    loader = Loader(settings)
    loader.model("films", saved.artifact)
    (rotten,) = Path(settings.cache_dir).glob("sha256/*/grid.safetensors")
    rotten.write_bytes(b"rot")
    with pytest.raises(LoadFailure) as caught:
        loader.model("films", saved.artifact)
    assert caught.value.reason is LoadReason.ARTIFACT_CORRUPT
    assert loader.model("films", saved.artifact).digest == saved.digest


@given(st.floats(0.01, 10), st.floats(0.01, 100))
def test_delays_grow_up_to_their_bound(first_s: float, most_s: float) -> None:
    waits = list(islice(delays(first_s=first_s, most_s=most_s), 20))
    assert waits == sorted(waits)
    assert waits[0] == min(first_s, most_s)
    assert max(waits) <= most_s


async def test_transient_failures_are_tried_again_and_permanent_ones_are_not() -> None:
    gone, absent = LoadFailure(LoadReason.FETCH_FAILED, "gone"), LoadFailure(LoadReason.ARTIFACT_NOT_FOUND, "absent")
    outcomes: list[Any] = [gone, absent, "loaded"]
    seen: list[LoadReason] = []

    async def load() -> str:
        await asyncio.sleep(0)
        outcome = outcomes.pop(0)
        if isinstance(outcome, LoadFailure):
            raise outcome
        return str(outcome)

    def note(failure: LoadFailure) -> None:
        seen.append(failure.reason)

    assert await attempt(load, what="x", delays_s=iter(lambda: 0.0, 1.0), on_failure=note) == "loaded"
    assert seen == [LoadReason.FETCH_FAILED, LoadReason.ARTIFACT_NOT_FOUND]
    outcomes[:] = [LoadFailure(LoadReason.DIGEST_MISMATCH, "another"), "never"]
    assert await attempt(load, what="x", delays_s=iter(lambda: 0.0, 1.0), on_failure=note) is None
    assert outcomes == ["never"]


@pytest.mark.parametrize(
    ("raised", "lines"), [(MemoryError(), 1), (ValueError("nobody thought of it"), None)], ids=["known", "unknown"]
)
async def test_a_failure_with_a_reason_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture, raised: Exception, lines: int | None
) -> None:
    async def load() -> None:
        await asyncio.sleep(0)
        raise as_failure(raised) from raised

    await attempt(load, what="films", delays_s=[0.0], on_failure=lambda _: None)
    printed = caplog.text.strip().splitlines()
    assert "films is not loaded: " in printed[0]
    assert len(printed) == lines or (lines is None and printed[-1] == "ValueError: nobody thought of it")


def test_an_unknown_executor_is_refused_at_the_start_by_its_variable(settings: Settings) -> None:
    with pytest.raises(ValueError, match="PHALANX_WORKER_EXECUTION: no executor 'fast'; there are auto, stacked"):
        Loader(msgspec.structs.replace(settings, execution="fast"))


def test_an_executor_for_another_device_is_refused_at_the_start(settings: Settings) -> None:
    with pytest.raises(ValueError, match="PHALANX_WORKER_EXECUTION: graphs is for CUDA devices, and grids run on cpu"):
        Loader(msgspec.structs.replace(settings, device="cpu", execution="graphs"))


def test_an_executor_gets_the_threads_of_the_setting_whatever_other_threads_set(
    settings: Settings, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def made(grid: Grid, *, device: str, name: str, threads: int) -> Executor:
        given.append(threads)
        return make_executor(grid, device=device, name=name, threads=threads)

    monkeypatch.setattr("phalanx_server.loading.loader.make_executor", made)
    Loader(msgspec.structs.replace(settings, threads=2)).model("films", saved.artifact)
    assert given == [2]


@pytest.mark.parametrize("saved_in", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_an_artifact_is_computed_in_the_format_that_is_asked_for_whatever_it_was_saved_in(
    dtype: Literal["fp32", "bf16"], saved_in: torch.dtype, settings: Settings, tmp_path: Path
) -> None:
    saved = save_ensemble(tmp_path / "store" / "narrow", dtype=saved_in)
    model = Loader(msgspec.structs.replace(settings, dtype=dtype)).model("films", saved.artifact)
    assert model.fidelity == dtype
    assert model.grid.readout.head.weight.dtype is torch.float32


@pytest.mark.parametrize(
    ("dtype", "native", "execution", "fidelity"),
    [
        ("auto", torch.bfloat16, "auto", "bf16"),
        ("auto", torch.float32, "auto", "fp32"),
        ("fp32", torch.bfloat16, "auto", "fp32"),
        ("bf16", torch.float32, "packed", "bf16"),
        ("auto", torch.bfloat16, "int8", "int8"),
    ],
)
def test_the_number_format_is_the_devices_own_unless_one_is_asked_for(
    dtype: Literal["auto", "fp32", "bf16"],
    native: torch.dtype,
    execution: str,
    fidelity: str,
    settings: Settings,
    saved: Saved,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("phalanx_server.loading.loader.compute_dtype", lambda device: native)
    chosen = msgspec.structs.replace(settings, dtype=dtype, execution=execution)
    model = Loader(chosen).model("films", saved.artifact)
    assert model.fidelity == fidelity
    assert model.adapted_fidelity == ("bf16" if fidelity == "int8" else fidelity), "tenants' batches are not in int8"
