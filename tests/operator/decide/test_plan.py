"""One plan for one pool: total, deterministic, and with what was accepted alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_contract.limits import MAX_ENSEMBLES
from phalanx_contract.plan import ApiKey, Artifact, Candidate, Cut, hash_plan
from phalanx_operator.api.issues import SpecError, SpecIssue
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_pool
from phalanx_operator.api.types import Accuracy, Students
from phalanx_operator.decide.accept import VALID, Verdict, judge_adapters, judge_ensembles, judge_pool, refused
from phalanx_operator.decide.plan import compose_plan, cut_of
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.types import ExitsState, RolloutState, Stage, StudentsState
from tests.operator import objects
from tests.operator.objects import DIGEST

POOL = parse_pool(objects.pool())
KEY = ApiKey(salt="0" * 32, sha256="1" * 64)


def model(name: str, **spec):
    return parse_ensemble(objects.ensemble(name, **spec))


def tenant(name: str, **spec):
    return parse_adapter(objects.adapter(name, **spec))


def plan(ensembles, adapters=(), *, verdicts=None, adapter_verdicts=None, cuts=None, rollouts=None, api_keys=None):
    every = {each.meta.key.name: VALID for each in ensembles}
    tenants = {each.meta.key.name: VALID for each in adapters}
    return compose_plan(
        POOL,
        ensembles=ensembles,
        adapters=adapters,
        verdicts=every if verdicts is None else verdicts,
        adapter_verdicts=tenants if adapter_verdicts is None else adapter_verdicts,
        cuts=cuts or {},
        rollouts=rollouts or {},
        api_keys=api_keys or {},
    )


names = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), max_size=6, unique=True)


@given(names, names, st.data())
def test_the_order_of_the_resources_does_not_matter(models, tenants, data):
    ensembles = [model(name) for name in models]
    adapters = [tenant(name, ensemble=data.draw(st.sampled_from([*models, "none"]))) for name in tenants]
    first = plan(ensembles, adapters)
    second = plan(data.draw(st.permutations(ensembles)), data.draw(st.permutations(adapters)))
    assert hash_plan(first) == hash_plan(second)
    assert [each.name for each in first.ensembles] == sorted(models)


@given(names, st.data())
def test_only_what_was_accepted_is_served(models, data):
    refusal = Verdict(Reason.INVALID_SPEC, "spec.x: bad")
    verdicts = {name: data.draw(st.sampled_from([VALID, refusal])) for name in models}
    made = plan([model(name) for name in models], verdicts=verdicts)
    assert {each.name for each in made.ensembles} == {name for name in models if verdicts[name].accepted}


def test_a_resource_without_a_verdict_and_one_of_another_pool_are_left_out():
    assert plan([model("a"), model("b", pool="other")], verdicts={"b": VALID}).ensembles == ()


def test_cuts_keys_and_limits_arrive_in_the_plan():
    made = plan(
        [model("a", students={"min": 2, "max": 5}), model("b")],
        [
            tenant("x", ensemble="a", weight=3, rateLimit={"tokensPerSecond": 9}, apiKeySecret={"name": "s"}),
            tenant("y", ensemble="a", apiKeySecret={"name": "s"}),
        ],
        cuts={"b": Cut(students_floor=1, students_ceiling=1, thresholds=(0.1,))},
        api_keys={"x": KEY},
    )
    first, second = made.ensembles
    assert (first.cut.students_floor, first.cut.students_ceiling, first.cut.burst_loss) == (2, 5, 0.03)
    assert second.cut.thresholds == (0.1,)
    assert [each.name for each in first.adapters] == ["x"], "y asks for a key that is not at hand"
    assert (first.adapters[0].weight, first.adapters[0].rate_tokens_per_s, first.adapters[0].api_key) == (3, 9.0, KEY)


def test_a_cut_takes_nothing_from_decisions_about_another_artifact():
    policy = CutPolicy(digest=DIGEST)
    old = "sha256:" + "b" * 64
    cut = cut_of(policy, StudentsState(digest=old, floor=3, ceiling=3), ExitsState(digest=old, thresholds=(0.5,)))
    assert cut == Cut(burst_loss=policy.accuracy.burst_loss)
    same = cut_of(
        policy, StudentsState(digest=DIGEST, floor=2, ceiling=3), ExitsState(digest=DIGEST, thresholds=(0.5,))
    )
    assert same == Cut(students_ceiling=3, burst_loss=policy.accuracy.burst_loss, thresholds=(0.5,))


def test_what_serves_stays_in_the_plan_beside_a_candidate_that_has_its_share_in_a_canary_alone():
    old = Artifact(uri="file:///models/old", digest="sha256:" + "b" * 64)
    new = model("a", students={"min": 2}, rollout={"canary": {"weightPercent": 10}})
    for stage, share in ((Stage.WARMING, 0.0), (Stage.CANARY, 0.1)):
        state = RolloutState(serving=old, candidate=new.artifact, stage=stage)
        (made,) = plan([new], rollouts={"a": state}, cuts={"a": Cut(thresholds=(0.1,))}).ensembles
        assert made.artifact == old
        assert made.candidate == Candidate(
            artifact=new.artifact, cut=Cut(students_floor=2, burst_loss=0.03), share=share
        ), "thresholds were measured on the ramps of the other"
    rolled_back = RolloutState(serving=old, stage=Stage.ROLLED_BACK)
    (made,) = plan([new], rollouts={"a": rolled_back}).ensembles
    assert (made.artifact, made.candidate) == (old, None)


def test_the_workers_floor_is_the_specs_and_the_budget_keeps_them_from_staying_there():
    policy = CutPolicy(digest=DIGEST, students=Students(min=2), accuracy=Accuracy(loss=0.0, burst_loss=0.05))
    cut = cut_of(policy, StudentsState(digest=DIGEST, floor=3, ceiling=4), ExitsState())
    assert (cut.students_floor, cut.students_ceiling, cut.burst_loss) == (2, 4, 0.05)


@pytest.mark.parametrize(
    ("ensemble", "pool", "reason", "says"),
    [
        (model("a"), None, Reason.POOL_NOT_FOUND, "spec.pool"),
        (
            model("a", artifact={"uri": "pvc://models/a", "digest": DIGEST}),
            POOL,
            Reason.CLAIM_NOT_MOUNTED,
            "spec.artifact.uri",
        ),
        (model("a"), POOL, Reason.VALID, "valid"),
    ],
)
def test_an_ensemble_is_refused_for_what_it_refers_to(ensemble, pool, reason, says):
    verdict = judge_ensembles([ensemble], pool)["a"]
    assert verdict.reason is reason
    assert says in verdict.message


def test_a_mounted_claim_is_accepted():
    pool = parse_pool(objects.pool(artifacts={"claims": ["models"]}))
    ensemble = model("a", artifact={"uri": "pvc://models/a", "digest": DIGEST})
    assert judge_ensembles([ensemble], pool)["a"].accepted


def test_an_artifact_from_elsewhere_is_refused_with_the_place_and_the_next_step():
    pool = parse_pool(objects.pool(artifacts={"allow": ["s3://models/team-a", "pvc://models"], "claims": ["models"]}))
    refusal = judge_ensembles([model("a")], pool)["a"]
    assert refusal.reason is Reason.ARTIFACT_NOT_ALLOWED
    for words in ("spec.artifact.uri: file:///models/sentiment", "s3://models/team-a, pvc://models", "artifacts.allow"):
        assert words in refusal.message
    inside = model("a", artifact={"uri": "pvc://models/a", "digest": DIGEST})
    assert judge_ensembles([inside], pool)["a"].accepted
    tenants = [tenant("x"), tenant("y", artifact={"uri": "s3://models/team-a/y", "digest": DIGEST})]
    verdicts = judge_adapters(tenants, pool=pool, ensembles={"sentiment": VALID}, secrets=())
    assert [verdicts[name].reason for name in "xy"] == [Reason.ARTIFACT_NOT_ALLOWED, Reason.VALID]


@pytest.mark.parametrize(
    ("image", "default", "reason"),
    [
        (f"own@{DIGEST}", "worker:1", Reason.VALID),
        ("own:1", f"worker@{DIGEST}", Reason.IMAGE_NOT_PINNED),
        ("own@sha256:12", f"worker@{DIGEST}", Reason.IMAGE_NOT_PINNED),
        (None, f"worker@{DIGEST}", Reason.VALID),
        (None, "worker:1", Reason.IMAGE_NOT_PINNED),
    ],
)
def test_an_operator_may_take_images_by_digest_alone(image, default, reason):
    pool = parse_pool(objects.pool(worker={"image": image} if image else {}))
    verdict = judge_pool(pool, default_image=default, by_digest=True)
    assert verdict.reason is reason
    assert verdict.accepted or verdict.message.startswith("spec.worker.image: ")
    assert judge_pool(pool, default_image=default, by_digest=False).accepted


def test_a_pool_that_allows_nothing_says_so_and_one_without_a_list_allows_everything():
    closed, opened = (parse_pool(objects.pool(artifacts=artifacts)) for artifacts in ({"allow": []}, {}))
    assert "(nothing)" in judge_ensembles([model("a")], closed)["a"].message
    assert judge_ensembles([model("a")], opened)["a"].accepted


@pytest.mark.parametrize(
    ("adapter", "reason", "says"),
    [
        (tenant("x", ensemble="none"), Reason.ENSEMBLE_NOT_FOUND, "spec.ensemble"),
        (tenant("x", ensemble="bad"), Reason.ENSEMBLE_NOT_ACCEPTED, "spec.ensemble"),
        (tenant("x", ensemble="good", apiKeySecret={"name": "k"}), Reason.SECRET_NOT_FOUND, "spec.apiKeySecret.name"),
        (tenant("x", ensemble="good", apiKeySecret={"name": "here"}), Reason.VALID, "valid"),
    ],
)
def test_an_adapter_is_refused_for_what_it_refers_to(adapter, reason, says):
    ensembles = {"good": VALID, "bad": Verdict(Reason.INVALID_SPEC, "x")}
    verdict = judge_adapters([adapter], pool=POOL, ensembles=ensembles, secrets={"here"})["x"]
    assert verdict.reason is reason
    assert says in verdict.message


def test_in_a_full_pool_the_oldest_ensembles_stay():
    raw = [objects.ensemble(f"m{index}") for index in range(MAX_ENSEMBLES + 1)]
    for index, obj in enumerate(raw):
        obj["metadata"]["creationTimestamp"] = f"2026-01-01T00:{99 - index:02d}:00Z"
    verdicts = judge_ensembles(map(parse_ensemble, raw), POOL)
    assert [name for name, verdict in verdicts.items() if verdict.reason is Reason.TOO_MANY] == ["m0"]


def test_a_refused_spec_keeps_its_reason_and_says_everything():
    verdict = refused(
        SpecError([SpecIssue("metadata.name", "too long", Reason.INVALID_NAME), SpecIssue("spec", "bad")])
    )
    assert (verdict.reason, verdict.message) == (Reason.INVALID_NAME, "metadata.name: too long; spec: bad")
