"""What a worker of the simulated pool can do: costs by number of students, agreement, start-up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from phalanx_operator.simulate.errors import SimulationError

BATCH_SHARE: Final = 0.3
"""Longest batch, as a share of the objective: the worker's default (`PHALANX_WORKER_BATCH_SHARE`)."""
DRAIN_TOKENS: Final = 1024
"""Batches in which exported capacities are counted: the worker's default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """A batch of n texts of mean length takes `fixed_s + n * text_s`."""

    fixed_s: float
    text_s: float

    def texts_per_s(self, batch_s: float) -> float:
        """What is computed in batches of so many seconds; one text is always a batch."""
        texts = max((batch_s - self.fixed_s) / self.text_s, 1.0)
        return texts / (self.fixed_s + texts * self.text_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One worker with one ensemble.

    Attributes:
        costs: by number of students, `costs[k-1]`.
        agreement: share of texts on which k students answer as all do, `agreement[k-1]`; empty if not measured.
        tokens: mean tokens of a text.
        startup_s: from the wish for a worker until it is ready: scheduling, image, artifact, warm-up.
        noise: standard deviation of a batch's time, as a share of it.
    """

    costs: tuple[Cost, ...]
    agreement: tuple[float, ...] = ()
    tokens: float = 11.0
    startup_s: float = 90.0
    noise: float = 0.15

    @property
    def students(self) -> int:
        """All that the artifact has."""
        return len(self.costs)

    def cost(self, students: int) -> Cost:
        """For so many students, from 1 to all."""
        return self.costs[students - 1]

    def capacity_tokens_per_s(self, students: int) -> float:
        """What the worker exports as its capacity."""
        cost, texts = self.cost(students), DRAIN_TOKENS / self.tokens
        return DRAIN_TOKENS / (cost.fixed_s + texts * cost.text_s)

    def loss(self, students: int) -> float:
        """Share of answers that differ from those of all students; more students never cost more."""
        return max((1.0 - agrees for agrees in self.agreement[students - 1 : -1]), default=0.0)


CPU: Final = Profile(
    costs=(
        Cost(fixed_s=0.0015, text_s=0.00115),
        Cost(fixed_s=0.0023, text_s=0.0019),
        Cost(fixed_s=0.0032, text_s=0.00265),
        Cost(fixed_s=0.0040, text_s=0.0034),
    ),
    agreement=(0.9699, 0.9887, 0.9934, 1.0),
)
"""The demo's ensemble on one CPU thread, fitted to bench/results/serving.json (one student and all four at saturation;
two and three lie between); a test holds it to that file. Its objective there is 150 ms."""


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A profile as users write it. Capacities are those of a worker's /metrics, in tokens a second."""

    capacity: Annotated[dict[int, Annotated[float, Meta(gt=0)]], Meta(min_length=1, max_length=32)]
    launch_ms: Annotated[float, Meta(ge=0, le=10_000)] = 2.0
    agreement: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()
    tokens: Annotated[float, Meta(ge=1, le=8192)] = 32.0
    startup_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 90.0
    noise: Annotated[float, Meta(ge=0, le=1)] = 0.15


def parse_profile(data: Mapping[str, Any]) -> Profile:
    """Read a profile: `capacity` by number of students, and how the worker is otherwise.

    Raises:
        SimulationError: a field is unknown, missing or out of bounds, or numbers of students are left out.
    """
    try:
        spec = msgspec.convert(data, _Spec, strict=False)
    except msgspec.ValidationError as error:
        raise SimulationError(f"profile: {error}") from error
    counts = sorted(spec.capacity)
    if counts != list(range(1, len(counts) + 1)):
        raise SimulationError(f"profile: capacity has {counts} students; give every number from 1 to all")
    if spec.agreement and len(spec.agreement) != len(counts):
        raise SimulationError(f"profile: agreement has {len(spec.agreement)} values for {len(counts)} students")
    return Profile(
        costs=tuple(_cost(spec, k) for k in counts),
        agreement=spec.agreement,
        tokens=spec.tokens,
        startup_s=spec.startup_seconds,
        noise=spec.noise,
    )


def _cost(spec: _Spec, students: int) -> Cost:
    """The cost whose capacity, counted in large batches, is the one given."""
    texts, fixed_s = DRAIN_TOKENS / spec.tokens, spec.launch_ms / 1000
    text_s = (DRAIN_TOKENS / spec.capacity[students] - fixed_s) / texts
    if not (text_s > 0 and math.isfinite(text_s)):
        message = f"profile: a batch of {DRAIN_TOKENS} tokens with {students} students takes less than launchMs"
        raise SimulationError(f"{message}; lower launchMs")
    return Cost(fixed_s=fixed_s, text_s=text_s)
