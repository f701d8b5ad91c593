"""`phalanx adapt`: an adapter artifact for one tenant, on top of an ensemble's artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from phalanx_distill import provenance
from phalanx_distill.adapter import train_adapter
from phalanx_distill.clock import Clock
from phalanx_distill.compute import Compute
from phalanx_distill.config import AdaptSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.data import Dataset, Row
from phalanx_distill.detail import look
from phalanx_distill.evaluate import Measured, measure
from phalanx_distill.fit import Epoch
from phalanx_distill.lock import locked
from phalanx_distill.output import done_before, work_dir
from phalanx_distill.predict import predict
from phalanx_distill.prepare import Prepared, prepare
from phalanx_distill.progress import Reporter
from phalanx_distill.report.document import Notes, Report
from phalanx_distill.report.write import write_all
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.teacher import encode, label_indices
from phalanx_grid import LoadedArtifact, LoraAdapter, load_artifact, read_manifest, save_adapter


def adapt(
    base: Path,
    rows: Dataset,
    settings: AdaptSettings,
    *,
    out: Path,
    compute: Compute,
    report: Reporter,
    force: bool = False,
    keep_work: bool = False,
) -> Report:
    """Make an adapter artifact at `out`; goes on where an interrupted run stopped, does nothing if all is there.

    Raises:
        DistillError: rows, settings or the output folder cannot be used; nothing was written then.
        GridError: the base is no artifact that can be served.
    """
    prepared = prepare(rows, settings.split)
    loaded = load_artifact(base, device=compute.device)
    mark = fingerprint(
        algorithm=ALGORITHM,
        kind="adapter",
        settings=settings,
        base=loaded.digest,
        rows=prepared.facts.sha256,
        dtype=str(compute.dtype),
    )
    done = done_before(out, mark, force=force, report=report)
    if done is not None:
        return done
    stages = Stages(work_dir(out), mark)
    with locked(work_dir(out)):
        done = done_before(out, mark, force=force, report=report)
        if done is not None:
            return done
        if stages.open():
            report.say(f"going on with what {stages.root} holds")
        result = _train_and_save(loaded, prepared, settings, out, mark, compute=compute, stages=stages, report=report)
        if not keep_work:
            stages.clear()
    return result


def _train_and_save(
    loaded: LoadedArtifact,
    prepared: Prepared,
    settings: AdaptSettings,
    out: Path,
    mark: str,
    *,
    compute: Compute,
    stages: Stages,
    report: Reporter,
) -> Report:
    parts, clock = prepared.parts, Clock()
    adapter = LoraAdapter(
        loaded.grid.geometry, parts.labels, rank=settings.rank, alpha=settings.alpha, seed=settings.seed
    ).to(compute.device)

    def examples(rows: tuple[Row, ...]) -> tuple[Corpus, Tensor]:
        corpus = encode(loaded.tokenizer, loaded.grid, [row.text for row in rows], settings.max_tokens)
        return corpus, label_indices(parts.labels, rows)

    with clock.stage("adapter"):
        history = train_adapter(
            loaded.grid,
            adapter,
            examples(parts.train),
            examples(parts.validation),
            settings,
            compute=compute,
            stages=stages,
            report=report,
        )
    with clock.stage("measuring"):
        corpus, expected = examples(parts.test)
        with report.stage("measuring", len(corpus)) as advance:
            answers = predict(loaded.grid, corpus, compute.exact(), adapter=adapter, done=advance)
    measured = measure(answers.logits, expected, dataset=prepared.facts.name)
    notes = Notes(detail=look(answers.logits, expected))
    return _save(
        loaded, adapter, prepared, settings, out, mark, measured=measured, history=history, clock=clock, notes=notes
    )


def _save(
    loaded: LoadedArtifact,
    adapter: LoraAdapter,
    prepared: Prepared,
    settings: AdaptSettings,
    out: Path,
    mark: str,
    *,
    measured: Measured,
    history: list[Epoch],
    clock: Clock,
    notes: Notes,
) -> Report:
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    origin = provenance.of(mark, data=msgspec.to_builtins(prepared.facts), settings=plain)
    digest = save_adapter(out, adapter.weights(), base=loaded.digest, provenance=origin, accuracy=measured.accuracy)
    report = Report(
        kind="adapter",
        fingerprint=mark,
        digest=digest,
        source={"name": "base", "digest": loaded.digest},
        data=prepared.facts,
        labels=adapter.labels,
        settings=plain,
        measured=measured,
        curves={"adapter": history},
        seconds=clock.seconds,
        versions=provenance.versions(),
        files={name: entry.sha256 for name, entry in read_manifest(out)[0].files.items()},
        notes=notes,
    )
    write_all(out, report)
    return report
