"""One ensemble of the plan in this worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from phalanx_contract.plan import Adapter, Cut, Ensemble
from phalanx_contract.worker import AdapterReport, EnsembleReport, LoadReason, LoadState
from phalanx_server.batching.admission import Admission
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.models import Model
from phalanx_server.serving.shelf import Shelf


@dataclass(slots=True, eq=False)
class Hosted:
    """`shelf` is what answers, also while another artifact is being loaded or has failed; None before the first."""

    spec: Ensemble
    cut: Cut
    state: LoadState = LoadState.LOADING
    failure: LoadFailure | None = None
    shelf: Shelf | None = None
    admission: Admission = field(default_factory=Admission)
    task: asyncio.Task[None] | None = None
    adapters: dict[str, Adapter] = field(default_factory=dict)
    leaving: bool = False
    """What serves makes room for what is to come: no request should be sent here."""
    attempted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it was loaded or has failed."""

    def __post_init__(self) -> None:
        self.want(self.spec)

    def want(self, spec: Ensemble) -> None:
        """Take over what the plan says; loading is the registry's task."""
        self.spec = spec
        self.adapters = {adapter.name: adapter for adapter in spec.adapters}

    def served(self, shelf: Shelf) -> Shelf | None:
        """Put a loaded model in charge; returns the one before it."""
        before, self.shelf = self.shelf, shelf
        self.state, self.failure, self.cut = LoadState.SERVING, None, self.spec.cut
        self.attempted.set()
        return before

    def failed(self, failure: LoadFailure) -> None:
        """Say why; whatever serves goes on."""
        self.state, self.failure = LoadState.FAILED, failure
        self.attempted.set()

    def recut(self) -> None:
        """Take over the plan's cut if the model has as many students as its floor asks for."""
        if self.shelf is None:
            return
        if self.shelf.model.digest != self.spec.artifact.digest:
            self.cut = self.spec.cut  # meant for the artifact that is on its way; held to what this one has
            return
        failure = too_many_students(self.spec, self.shelf.model)
        if failure is not None:
            self.failed(failure)
            return
        self.cut = self.spec.cut
        if self.failure is not None and self.failure.reason is LoadReason.STUDENTS_OUT_OF_RANGE:
            self.state, self.failure = LoadState.SERVING, None

    def report(self) -> EnsembleReport:
        """For `/phalanx/status`."""
        model = self.shelf.model if self.shelf else None
        geometry = model.grid.geometry if model else None
        return EnsembleReport(
            name=self.spec.name,
            wanted_digest=self.spec.artifact.digest,
            state=self.state,
            digest=model.digest if model else "",
            field=self.failure.field if self.failure else "",
            reason=self.failure.reason if self.failure else LoadReason.NONE,
            message=self.failure.message if self.failure else "",
            students=geometry.students if geometry else 0,
            rows=geometry.rows if geometry else 0,
            ramps=geometry.rows - 1 if geometry and model and model.grid.has_ramps else 0,
            classes=geometry.classes if geometry else 0,
            agreement=model.agreement if model else (),
            accuracy=model.accuracy if model else (),
        )

    def adapter_reports(self) -> list[AdapterReport]:
        """Of every adapter of the plan that is not served as the plan wants it."""
        return [
            report for adapter in self.spec.adapters if (report := self._adapter(adapter.name, adapter.artifact.digest))
        ]

    def _adapter(self, name: str, digest: str) -> AdapterReport | None:
        tenant = self.shelf.tenants.get(name) if self.shelf else None
        if tenant is not None and tenant.state is LoadState.SERVING:
            return None
        failure = tenant.failure if tenant else None
        return AdapterReport(
            ensemble=self.spec.name,
            name=name,
            digest=digest,
            state=tenant.state if tenant else LoadState.LOADING,
            reason=failure.reason if failure else LoadReason.NONE,
            message=failure.message if failure else "",
        )


def too_many_students(spec: Ensemble, model: Model) -> LoadFailure | None:
    """The refusal of a floor that the artifact cannot meet."""
    if spec.cut.students_floor <= model.students:
        return None
    message = f"at least {spec.cut.students_floor} students are asked for, the artifact has {model.students}"
    return LoadFailure(LoadReason.STUDENTS_OUT_OF_RANGE, message, field="spec.students.min")
