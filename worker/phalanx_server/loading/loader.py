"""Loading ensembles and adapters: blocking work, done on loader threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from phalanx_contract.plan import Artifact, Plan, artifacts_of
from phalanx_grid import (
    AdapterTable,
    AdapterWeights,
    ArtifactCorrupt,
    Grid,
    LoadedArtifact,
    compute_dtype,
    load_adapter,
    load_artifact,
)
from phalanx_grid.adapters import check_fits
from phalanx_grid.execution import check_name, make_executor
from phalanx_grid.execution.threads import use_threads
from phalanx_grid.panics import STOPS
from phalanx_server.loading.cache import ArtifactCache
from phalanx_server.loading.failure import LoadFailure, as_failure
from phalanx_server.loading.room import Room, weights_bytes
from phalanx_server.loading.warm_up import Passes, check_finite, measure
from phalanx_server.models import Model, Speed
from phalanx_server.settings import Settings, cores


class Loader:
    """Loads by artifact. Methods block, may be called from any thread, and raise nothing but `LoadFailure`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cache = ArtifactCache(
            Path(settings.cache_dir),
            claims_dir=Path(settings.claims_dir),
            limit_bytes=settings.cache_bytes,
            stall_s=settings.store_stall_s,
        )
        self.device = resolve_device(settings.device)
        check_name(settings.execution, device=self.device)
        self._threads = settings.threads or cores()
        self._room = Room(settings.models_bytes)

    def keep(self, plan: Plan) -> None:
        """Local copies of what the plan does not name may be dropped from now on, where others need their room."""
        self._cache.keep(artifact.digest for artifact in artifacts_of(plan))

    def fetch(self, artifact: Artifact) -> None:
        """Get a local copy, if there is none: all that waits for a store."""
        with self._explained(artifact):
            self._cache.fetch(artifact)

    def model(self, name: str, artifact: Artifact) -> Model:
        """Fetch, verify, load and warm up an ensemble: what comes back has answered a forward pass."""
        use_threads(self._threads)
        with self._explained(artifact):
            return self._model(name, artifact)

    def adapter(self, artifact: Artifact, model: Model) -> AdapterWeights:
        """Fetch and verify a tenant's adapter for a model; it stays on the host."""
        with self._explained(artifact):
            path = self._cache.fetch(artifact)
            weights = load_adapter(path, digest=artifact.digest, base=model.digest).weights
            check_fits(weights, model.grid.geometry, rank_max=model.adapters.rank_max)
            return weights

    def _model(self, name: str, artifact: Artifact) -> Model:
        settings, path = self._settings, self._cache.fetch(artifact)
        with self._room.taken(weights_bytes(path)) as hold:
            loaded = load_artifact(path, digest=artifact.digest, device=self.device, dtype=self._dtype())
            hold(loaded.grid)
        adapters = AdapterTable.for_grid(loaded.grid, slots=settings.adapter_slots, rank_max=settings.adapter_rank)
        executor = make_executor(loaded.grid, device=self.device, name=settings.execution, threads=self._threads)
        passes = Passes(executor, loaded.grid.geometry, self.device)
        example = tuple(loaded.tokenizer.encode(["a"])[0].ids)
        check_finite(passes, example)
        capacity = measure(passes, batch_tokens=settings.drain_batch_tokens)
        agreement, accuracy = _measured(loaded)
        return Model(
            name=name,
            digest=loaded.digest,
            grid=loaded.grid,
            executor=executor,
            tokenizer=loaded.tokenizer,
            adapters=adapters,
            capacity=capacity,
            speed=Speed(capacity),
            example=example,
            device=self.device,
            fidelity="int8" if executor.name == "int8" else _number_format(loaded.grid),
            adapted_fidelity=_number_format(loaded.grid),
            agreement=agreement,
            accuracy=accuracy,
        )

    def _dtype(self) -> torch.dtype:
        """What to compute in, whatever format the artifact was saved in."""
        wanted = self._settings.dtype
        native = compute_dtype(self.device) is torch.bfloat16
        return torch.bfloat16 if wanted == "bf16" or (wanted == "auto" and native) else torch.float32

    @contextlib.contextmanager
    def _explained(self, artifact: Artifact) -> Iterator[None]:
        """Whatever goes wrong in the block is told as a LoadFailure."""
        try:
            yield
        except (LoadFailure, *STOPS):
            raise
        except BaseException as error:
            if isinstance(error, ArtifactCorrupt):
                # A copy that was whole when it was fetched has rotted on the disk: the next attempt fetches it again.
                self._cache.discard(artifact.digest)
            raise as_failure(error) from error


def resolve_device(wanted: str) -> str:
    """`auto` as CUDA if there is any, else the CPU.

    Raises:
        ValueError: CUDA is asked for and there is none.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda is asked for, and torch finds none; use auto or cpu")
    return wanted


def _number_format(grid: Grid) -> str:
    """That of the weights as they were loaded."""
    return "bf16" if grid.embeddings.word.dtype is torch.bfloat16 else "fp32"


def _measured(loaded: LoadedArtifact) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Agreement and accuracy by number of students; empty where the manifest does not know all of them."""
    known = loaded.manifest.accuracy
    by_k = {entry.students: entry for entry in known.by_k} if known else {}
    counts = range(1, loaded.grid.geometry.students + 1)
    if any(count not in by_k for count in counts):
        return (), ()
    return tuple(by_k[count].agreement for count in counts), tuple(by_k[count].accuracy for count in counts)
