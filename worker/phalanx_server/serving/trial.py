"""The candidate for an ensemble's place in this worker: hosted as an ensemble is, and how its answers compare."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from phalanx_contract.plan import Candidate, Ensemble, candidate_name
from phalanx_contract.worker import Comparison, EnsembleReport
from phalanx_server.serving.hosted import Hosted
from phalanx_server.serving.shelf import Shelf


@dataclass(slots=True, eq=False)
class Trial:
    """`share` of the base model's requests are the candidate's."""

    hosted: Hosted
    share: float
    compared: Comparison = field(default_factory=Comparison)
    _owed: float = 0.0

    @classmethod
    def of(cls, ensemble: Ensemble, candidate: Candidate) -> Trial:
        """One that has loaded nothing yet."""
        spec = as_ensemble(ensemble, candidate)
        return cls(Hosted(spec, spec.cut), candidate.share)

    @property
    def shelf(self) -> Shelf | None:
        """The candidate with its tenants, once it is warm."""
        return self.hosted.shelf

    def due(self) -> bool:
        """Whether the request that comes now is the candidate's: evenly spread, none by chance."""
        self._owed += self.share
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True

    def count(self, *, texts: int, agreeing: int, candidate_s: float = 0.0, serving_s: float = 0.0) -> None:
        """Take in what one request showed."""
        before = self.compared
        self.compared = Comparison(
            texts=before.texts + texts,
            agreeing=before.agreeing + agreeing,
            candidate_s=before.candidate_s + candidate_s,
            serving_s=before.serving_s + serving_s,
        )

    def report(self, serving: Shelf | None) -> EnsembleReport:
        """For `/phalanx/status`; `serving` is what answers now."""
        unfit = self._unfit(serving)
        return msgspec.structs.replace(
            self.hosted.report(), compared=self.compared, unfit=len(unfit), unfit_tenant=min(unfit, default="")
        )

    def _unfit(self, serving: Shelf | None) -> list[str]:
        """Tenants that are answered now, and that the candidate has no adapter for."""
        if serving is None or self.shelf is None:
            return []
        answered = [name for name, tenant in serving.tenants.items() if tenant.weights is not None]
        here = self.shelf.tenants
        return [name for name in answered if name in here and here[name].weights is None]


def as_ensemble(ensemble: Ensemble, candidate: Candidate) -> Ensemble:
    """The candidate as if it were an ensemble by itself, with the same tenants."""
    return Ensemble(
        name=candidate_name(ensemble.name),
        artifact=candidate.artifact,
        cut=candidate.cut,
        adapters=ensemble.adapters,
    )
