"""Plans of every shape the contract allows."""

from __future__ import annotations

from hypothesis import strategies as st

from phalanx_contract.limits import MAX_NAME, MAX_STUDENTS
from phalanx_contract.plan import Adapter, ApiKey, Artifact, Candidate, Cut, Ensemble, Plan

_HEX = "0123456789abcdef"


def hex_digits(count: int) -> st.SearchStrategy[str]:
    return st.text(_HEX, min_size=count, max_size=count)


names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda name: len(name) <= MAX_NAME)
artifacts = st.builds(
    Artifact,
    uri=st.sampled_from(["file:///models/a", "pvc://claim/models/b", "s3://bucket/c", "https://models.example/d?v=1"]),
    digest=hex_digits(64).map(lambda digits: f"sha256:{digits}"),
)
probabilities = st.floats(0, 1)


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    floor = draw(st.integers(1, MAX_STUDENTS))
    ceiling = draw(st.none() | st.integers(floor, MAX_STUDENTS))
    return Cut(
        students_floor=floor,
        students_ceiling=ceiling,
        burst_loss=draw(st.none() | probabilities),
        thresholds=tuple(draw(st.lists(probabilities, max_size=12))),
    )


adapters = st.builds(
    Adapter,
    name=names,
    artifact=artifacts,
    weight=st.integers(1, 1000),
    rate_tokens_per_s=st.none() | st.floats(0.001, 1e9),
    api_key=st.none() | st.builds(ApiKey, salt=hex_digits(32), sha256=hex_digits(64)),
)
candidates = st.builds(Candidate, artifact=artifacts, cut=cuts(), share=probabilities)


@st.composite
def ensembles_of(draw: st.DrawFn) -> Ensemble:
    own, candidate = draw(artifacts), draw(st.none() | candidates)
    return Ensemble(
        name=draw(names),
        artifact=own,
        cut=draw(cuts()),
        adapters=tuple(draw(st.lists(adapters, max_size=4, unique_by=lambda adapter: adapter.name))),
        candidate=None if candidate is None or candidate.artifact == own else candidate,
        alone=tuple(draw(st.lists(names, max_size=2))),
    )


ensembles = ensembles_of()
plans = st.builds(
    Plan,
    namespace=names,
    pool=names,
    objective_p99_s=st.floats(0.0001, 600),
    ensembles=st.lists(ensembles, max_size=4, unique_by=lambda ensemble: ensemble.name).map(tuple),
)
