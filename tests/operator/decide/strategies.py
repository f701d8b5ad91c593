"""Loads, artifacts and ramps of every shape that decisions may meet."""

from __future__ import annotations

from hypothesis import strategies as st

from phalanx_operator.decide.types import ArtifactFacts, EnsembleMetrics, Observation, RampHistogram

DIGEST = "sha256:" + "a" * 64
NOW = 1000.0

FRESH = Observation(at=NOW - 1, workers=1)

counts = st.integers(0, 5000).map(float)


@st.composite
def facts(draw: st.DrawFn, students: int | None = None) -> ArtifactFacts:
    """An artifact whose agreement rises with the number of students; sometimes it was not measured."""
    k = students or draw(st.integers(1, 8))
    rows = draw(st.integers(2, 6))
    agreement = sorted(draw(st.lists(st.floats(0.8, 1), min_size=k, max_size=k)))
    agreement[-1] = 1.0
    return ArtifactFacts(
        students=k, rows=rows, ramps=rows - 1, agreement=tuple(agreement) if draw(st.booleans()) else ()
    )


@st.composite
def capacities(draw: st.DrawFn, students: int = 8) -> dict[int, float]:
    """Tokens a second by number of students, falling; some may be unknown."""
    values = sorted(draw(st.lists(st.floats(10, 1e5), min_size=students, max_size=students)), reverse=True)
    known = draw(st.sets(st.integers(1, students)))
    return {k: value for k, value in enumerate(values, start=1) if k in known}


@st.composite
def loads(draw: st.DrawFn) -> EnsembleMetrics:
    tokens = draw(st.just(0.0) | st.floats(0.1, 2e5))
    return EnsembleMetrics(
        tokens_per_s=tokens,
        p99_s=draw(st.floats(0, 5)) if tokens else None,
        capacity_tokens_per_s=draw(capacities()),
    )


@st.composite
def ramps(draw: st.DrawFn, row: int, largest: int = 5000) -> RampHistogram:
    """Cumulative counts; few texts or many."""
    bounds = tuple(sorted(draw(st.sets(st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5, 1.0]), min_size=1))))
    each = st.lists(st.integers(0, largest), min_size=len(bounds), max_size=len(bounds)).map(sorted)
    rare = st.lists(st.integers(0, 60), min_size=len(bounds), max_size=len(bounds)).map(sorted)
    return RampHistogram(
        row=row, bounds=bounds, agrees=tuple(map(float, draw(each))), differs=tuple(map(float, draw(rare)))
    )


@st.composite
def windows(draw: st.DrawFn, largest: int = 5000) -> tuple[RampHistogram, ...]:
    rows = draw(st.sets(st.integers(0, 4), max_size=4))
    return tuple(draw(ramps(row, largest)) for row in sorted(rows))


def broken_numbers() -> st.SearchStrategy[float]:
    return st.sampled_from([float("nan"), float("inf"), -1.0])
