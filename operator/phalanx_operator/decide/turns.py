"""Whose turn it is: one worker of a pool at a time changes its artifact, whichever ensemble that is for.

A worker that lets go of one ensemble's artifact is unready for all of them. So who may go is decided over the whole
pool, and only workers that nothing which was told before can still take away count as serving meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.types import RolloutState, WorkerView


@dataclass(frozen=True, slots=True)
class Standing:
    """One ensemble: its state, what is seen of it, the workers that are on their way for it, and whether any may go."""

    state: RolloutState
    sight: Sight
    away: frozenset[str]
    goes_over: bool = True

    @property
    def keeps_others_waiting(self) -> bool:
        """Whether what it waits for comes to an end: its own deadline runs."""
        return bool(self.away) and self.state.candidate is not None and self.sight.timed


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """All ensembles of a pool, by name; `steady` are the workers to rely on, and any `surplus` of them may be deleted
    at any moment."""

    standings: Mapping[str, Standing]
    steady: frozenset[str]
    surplus: int = 0

    def sight_of(self, name: str) -> Sight:
        """What one ensemble's decision may rest on."""
        own = self.standings[name]
        others = (each for other, each in self.standings.items() if other != name)
        crowded = bool(own.sight.without_room)
        queues = own.goes_over and crowded and not own.away
        return replace(
            own.sight,
            serving=own.sight.serving & self._staying,
            away=self._away,
            needed=self._needed() if crowded or own.sight.stranded else frozenset(),
            queued=queues and any(each.keeps_others_waiting for each in others),
        )

    def after(self, name: str, state: RolloutState) -> Turns:
        """With the new state of one: who was told just now is on its way, and who was before still is."""
        own = self.standings[name]
        told = frozenset(state.alone) - frozenset(own.state.alone)
        return replace(self, standings={**self.standings, name: replace(own, state=state, away=own.away | told)})

    @property
    def _away(self) -> frozenset[str]:
        return frozenset[str]().union(*(each.away for each in self.standings.values()))

    @property
    def _staying(self) -> frozenset[str]:
        return self.steady - self._away

    def _needed(self) -> frozenset[str]:
        """Workers without which too few are sure to serve an ensemble that is served now."""
        sights = [each.sight for each in self.standings.values() if each.sight.serving or each.sight.students]
        names = frozenset(name for sight in sights for name in sight.names)
        sure = [sight.serving & self._staying for sight in sights]
        return frozenset(name for name in names if any(len(each) - (name in each) <= self.surplus for each in sure))


def steady(workers: Iterable[WorkerView], *, plan: str) -> frozenset[str]:
    """Names of the workers that are ready by their own account too, with the latest plan, whose hash is given. Another
    one may be about to read that it should go."""
    return frozenset(
        each.name
        for each in workers
        if each.ready and each.report is not None and each.report.ready and each.report.plan == plan
    )
