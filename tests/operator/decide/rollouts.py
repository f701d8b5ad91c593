"""What a spec names and what workers say, for the tests of rollouts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from phalanx_contract.plan import Artifact
from phalanx_contract.worker import Comparison, LoadReason, LoadState
from phalanx_operator.api.types import Canary
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.loaded import Held
from phalanx_operator.decide.rollout import RolloutPolicy, decide_rollout
from phalanx_operator.decide.types import (
    Decision,
    RolloutState,
    Stage,
)

OLD, NEW, NEWER = (Artifact(uri=f"file:///models/{c}", digest=f"sha256:{c * 64}") for c in "abc")
CANARY = Canary(weight=0.1, min_agreement=0.9, min_compared=100, max_latency_ratio=1.5, seconds=60)
PLAIN = RolloutPolicy(wanted=NEW, generation=2, deadline_s=100)
TRIED = replace(PLAIN, canary=CANARY)
SERVES = RolloutState(serving=OLD, students=4)
WARMING = replace(SERVES, candidate=NEW, stage=Stage.WARMING)
ON_TRIAL = replace(WARMING, stage=Stage.CANARY)
WARM, COLD = Held(LoadState.SERVING), Held(LoadState.LOADING)


def failed(reason: LoadReason) -> Held:
    return Held(LoadState.FAILED, reason, "grid.safetensors: was altered")


CROWDED = failed(LoadReason.OUT_OF_MEMORY)
CORRUPT, MISMATCH = failed(LoadReason.ARTIFACT_CORRUPT), failed(LoadReason.DIGEST_MISMATCH)


def seen(*held: Held, silent: int = 0, compared: Comparison | None = None) -> Sight:
    return Sight(
        held=held,
        exists=bool(held or silent),
        silent=silent,
        students=4,
        next_students=6,
        compared=compared or Comparison(),
    )


def unfit(count: int) -> Sight:
    """All workers hold it, and so many tenants would have no answer."""
    return replace(seen(WARM), unfit=count, unfit_tenant="acme")


def counted(texts: int, agreeing: int, *, ratio: float = 1.0) -> Comparison:
    return Comparison(texts=texts, agreeing=agreeing, candidate_s=ratio, serving_s=1.0)


def decide(policy: RolloutPolicy, sight: Sight, state: RolloutState, *, now: float = 1.0) -> Decision[RolloutState]:
    return decide_rollout(policy=policy, sight=sight, state=state, now=now)


held_states = st.sampled_from([WARM, COLD, CORRUPT, CROWDED, MISMATCH])
artifacts = st.sampled_from([OLD, NEW, NEWER])


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    texts = draw(st.integers(0, 300))
    return counted(texts, draw(st.integers(0, texts)), ratio=draw(st.floats(0.1, 3)))


@st.composite
def sights(draw: st.DrawFn) -> Sight:
    held = tuple(draw(st.lists(held_states, max_size=3)))
    names = tuple("xyz"[: len(held)])
    some = st.sets(st.sampled_from("xyz"))
    return Sight(
        held=held,
        exists=bool(held) or draw(st.booleans()),
        names=names,
        serving=frozenset(draw(some)),
        stranded=tuple(sorted(draw(some))),
        unfit=draw(st.sampled_from([0, 0, 0, 2])),
        unfit_tenant="acme",
        silent=draw(st.integers(0, 1)),
        students=draw(st.sampled_from([0, 4])),
        next_students=draw(st.sampled_from([0, 6])),
        compared=draw(comparisons()),
    )


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[RolloutPolicy, Sight, float]]:
    """What a spec names and what workers say, round by round."""
    rounds, now, generation = [], 0.0, 1
    wanted = draw(artifacts)
    canary = draw(st.sampled_from([Canary(), CANARY]))
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 4)) == 0:
            wanted, generation = draw(artifacts), generation + 1
        now += draw(st.floats(0, 60))
        policy = RolloutPolicy(wanted=wanted, generation=generation, canary=canary, deadline_s=100)
        rounds.append((policy, draw(sights()), now))
    return rounds
