"""A library that panics, which is no `Exception`: told where it happens, and everything else goes on."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from phalanx_contract.plan import Adapter, Artifact, Candidate, Ensemble
from phalanx_grid import load_artifact, save_artifact
from phalanx_server.answers import version
from phalanx_server.loading.loader import Loader
from phalanx_server.serving.registry import Registry
from tests.server.artifacts import Saved, ensemble, make_plan, save_ensemble
from tests.server.conftest import Shop, Start
from tests.server.waiting import until

NO_CHARSMAP = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
ASCII_CHARSMAP = {
    "type": "Precompiled",
    "precompiled_charsmap": base64.b64encode(struct.pack("<I", 480) + bytes(480) + b"x\0").decode(),
}
"""Makes the library panic at the first character outside of ASCII."""


class Panic(BaseException):
    """As a library in Rust raises it."""


def with_normalizer(saved: Saved, path: Path, normalizer: dict[str, Any]) -> Saved:
    """The same ensemble with another normalizer in its tokenizer."""
    loaded = load_artifact(saved.path)
    loaded.tokenizer.source = json.dumps(json.loads(loaded.tokenizer.source) | {"normalizer": normalizer}).encode()
    digest = save_artifact(path, loaded.grid, loaded.tokenizer, provenance={"made": "badly"})
    return Saved(path=path, digest=digest, labels=saved.labels)


async def test_a_tokenizer_that_panics_at_load_fails_its_ensemble_alone(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    bad = with_normalizer(shop.base, tmp_path / "bad", NO_CHARSMAP)
    async with start(make_plan(ensemble("films", shop.base), ensemble("bad", bad))) as running:
        films, report = running.worker.status().ensembles
        assert (films.state, report.state, report.reason) == ("Serving", "Failed", "ArtifactCorrupt")
        assert report.message.startswith("tokenizer.json: not a tokenizer: ")
        assert running.worker.problem() == ""


async def test_a_text_on_which_the_tokenizer_panics_gets_an_answer_and_the_next_one_is_served(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    bad = with_normalizer(shop.base, tmp_path / "bad", ASCII_CHARSMAP)
    async with start(make_plan(ensemble("films", bad))) as running:
        for text in ("\xe9\xe9", "\xe9" * 400):
            status, body, _ = await running.post("/predict", {"inputs": text})
            assert (status, body["error"]) == (500, "the server failed on this request: see its log")
        status, _, _ = await running.post("/predict", {"inputs": "good"})
        assert status == 200
        assert running.worker.active == 0


async def test_a_candidate_whose_tokenizer_panics_costs_no_request_and_is_counted(
    shop: Shop, start: Start, tmp_path: Path
) -> None:
    bad = with_normalizer(shop.base, tmp_path / "bad", ASCII_CHARSMAP)
    candidate = Candidate(artifact=bad.artifact, share=1.0)
    plan = make_plan(Ensemble(name="films", artifact=shop.base.artifact, candidate=candidate))
    async with start(plan) as running:
        status, _, made_by = await running.post("/predict", {"inputs": "\xe9\xe9"})
        assert (status, made_by["X-Phalanx-Version"]) == (200, version(shop.base.digest))
        compared = running.worker.status().ensembles[1].compared
        assert compared is not None
        assert (compared.texts, compared.agreeing) == (1, 0)


async def test_a_panic_of_any_library_while_an_ensemble_loads_is_its_failure(
    shop: Shop, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, load = save_ensemble(tmp_path / "other", seed=9), Loader._model

    def panics(loader: Loader, name: str, artifact: Artifact) -> Any:
        if name == "bad":
            raise Panic("index out of bounds")
        return load(loader, name, artifact)

    monkeypatch.setattr(Loader, "_model", panics)
    async with start(make_plan(ensemble("films", shop.base), ensemble("bad", other))) as running:
        _, report = running.worker.status().ensembles
        assert (report.state, report.reason, report.message) == (
            "Failed", "InternalError", "Panic: index out of bounds",
        )  # fmt: skip
        assert running.worker.problem() == ""


async def test_a_load_that_ends_in_a_way_nobody_thought_of_is_told_and_not_left_loading(
    shop: Shop, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panics(*_: object) -> None:
        raise Panic("no entry found for key")

    monkeypatch.setattr(Registry, "_put", panics)
    async with start(make_plan(ensemble("films", shop.base))) as running:
        (report,) = running.worker.status().ensembles
        assert (report.state, report.reason) == ("Failed", "InternalError")
        assert running.worker.registry.hosted["films"].attempted.is_set()


async def test_an_adapter_whose_load_panics_fails_alone(
    shop: Shop, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panics(*_: object, **__: object) -> None:
        raise Panic("no entry found for key")

    monkeypatch.setattr("phalanx_server.loading.loader.load_adapter", panics)
    acme = Adapter(name="acme", artifact=shop.tenants["acme"].artifact)
    async with start(make_plan(ensemble("films", shop.base, adapters=[acme]))) as running:
        await until(lambda: running.worker.problem() == "")
        (report,) = running.worker.status().adapters
        assert (report.state, report.reason) == ("Failed", "InternalError")
