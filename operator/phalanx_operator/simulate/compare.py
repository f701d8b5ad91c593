"""Several policies over the same trace, as they are named on the command line.

    operator     the operator's decisions
    fixed:K      always K students, with as many workers as the operator asked for at each moment
    fixed:KxN    always K students, always N workers
    fewest:K     always K students, always the fewest workers with which the p99 misses the objective in no more
                 seconds than under the operator: what the same service costs without it
    hpa:K        always K students, workers by a HorizontalPodAutoscaler within the pool's bounds

Without `:K` it is all students.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.policies import Fixed, HorizontalPodAutoscaler, OperatorPolicy, Policy
from phalanx_operator.simulate.replay import Run, replay
from phalanx_operator.simulate.setup import Setup
from phalanx_operator.simulate.trace import Trace

OPERATOR: Final = "operator"
DEFAULT: Final = (OPERATOR, "fixed", "fewest", "hpa")
MOST_WORKERS: Final = 1000
"""As many as a pool may have."""

_NAME: Final = re.compile(r"(?P<kind>fixed|fewest|hpa)(:(?P<students>\d+))?(x(?P<workers>\d+))?")

Watch = Callable[[str, int], None]
"""Is told the policy's name and the second that is done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A policy's name, taken apart. `workers` None: as the kind has it."""

    kind: str
    students: int
    workers: int | None = None

    def __str__(self) -> str:
        if self.kind == OPERATOR:
            return self.kind
        return f"{self.kind}:{self.students}" + ("" if self.workers is None else f"x{self.workers}")


def read_name(text: str, *, students: int) -> Named:
    """Take a name apart; the profile has so many students.

    Raises:
        SimulationError: it is not one of the forms above.
    """
    if text == OPERATOR:
        return Named(kind=OPERATOR, students=students)
    match = _NAME.fullmatch(text)
    if match is None or (match["workers"] and match["kind"] != "fixed"):
        raise SimulationError(f"policy {text!r}: write operator, fixed:K, fixed:KxN, fewest:K or hpa:K")
    named = Named(
        kind=match["kind"],
        students=int(match["students"] or students),
        workers=int(match["workers"]) if match["workers"] else None,
    )
    if not 1 <= named.students <= students:
        raise SimulationError(f"policy {text!r}: the profile has 1 to {students} students")
    if named.workers is not None and not 1 <= named.workers <= MOST_WORKERS:
        raise SimulationError(f"policy {text!r}: a pool has 1 to {MOST_WORKERS} workers")
    return named


def compare(trace: Trace, names: Sequence[str], setup: Setup, *, watch: Watch | None = None) -> list[Run]:
    """A run for each name, in their order.

    Raises:
        SimulationError: a name is none, or `fewest` finds no number of workers.
    """
    named = [read_name(text, students=setup.profile.students) for text in names]
    comparison = _Comparison(trace, setup, watch)
    return [comparison.run(each) for each in named]


@dataclass(slots=True)
class _Comparison:
    """Runs over one trace; the operator's is needed by others, and is made once."""

    trace: Trace
    setup: Setup
    watch: Watch | None
    _operator: Run | None = field(default=None)

    def run(self, named: Named) -> Run:
        """The run of one policy."""
        if named.kind == OPERATOR:
            return self.operator()
        if named.kind == "fewest":
            return self._fewest(named)
        return self._replay(self._policy(named), workers=named.workers)

    def operator(self) -> Run:
        """The operator's run."""
        if self._operator is None:
            setup = self.setup
            policy = OperatorPolicy(pool=setup.pool, ensemble=setup.ensemble, profile=setup.profile)
            self._operator = self._replay(policy)
        return self._operator

    def _policy(self, named: Named) -> Policy:
        if named.kind == "hpa":
            return HorizontalPodAutoscaler(
                name=str(named),
                students=named.students,
                bounds=self.setup.pool.replicas,
                ensemble=self.setup.ensemble.meta.key.name,
            )
        replicas = self.operator().wanted if named.workers is None else (named.workers,)
        return Fixed(name=str(named), students=named.students, replicas=replicas)

    def _fewest(self, named: Named) -> Run:
        """By halving: more workers never serve a trace worse."""
        most = self.operator().score.violating_s
        low, high, best = 1, self._plenty(named.students), None
        while low <= high:
            middle = (low + high) // 2
            name = f"{named}x{middle}"
            run = self._replay(Fixed(name=name, students=named.students, replicas=(middle,)), middle)
            if run.score.violating_s <= most:
                best, high = run, middle - 1
            else:
                low = middle + 1
        if best is None:
            raise SimulationError(f"policy {named}: no number of workers serves this trace as well as the operator")
        return best

    def _plenty(self, students: int) -> int:
        """Workers that serve the densest second at a quarter of their capacity."""
        capacity = self.setup.profile.capacity_tokens_per_s(students) / self.setup.profile.tokens
        return min(int(4 * max(self.trace.texts) / capacity) + 4, MOST_WORKERS)

    def _replay(self, policy: Policy, workers: int | None = None) -> Run:
        scene = self.setup.scene if workers is None else replace(self.setup.scene, replicas=workers)
        watch = self.watch
        return replay(self.trace, policy, scene, watch=None if watch is None else lambda at: watch(policy.name, at))
