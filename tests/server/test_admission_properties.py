"""What admission promises, whatever the requests."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phalanx_server.batching.admission import RESERVE, Admission, Admit, Ask, QueueBound, Shed, ShedReason

BOUND = QueueBound(limit_tokens=1000.0, tokens_per_s=500.0)
tenants = st.sampled_from(["", "a", "b", "c"])


def ask(tenant: str = "", tokens: int = 10, *, weight: int = 1, rate: float | None = None) -> Ask:
    return Ask(tenant=tenant, tokens=tokens, weight=weight, rate_tokens_per_s=rate)


@given(st.integers(1, 10**7))
def test_an_empty_queue_lets_any_request_in(tokens: int) -> None:
    assert isinstance(Admission().decide(ask(tokens=tokens), BOUND, now_s=0.0), Admit)


@given(st.lists(st.tuples(tenants, st.integers(1, 600)), min_size=1, max_size=40))
def test_the_queue_stays_within_its_limit_and_reserve_once_something_waits(asks: list[tuple[str, int]]) -> None:
    admission = Admission()
    for tenant, tokens in asks:
        before = admission.tokens
        if isinstance(admission.decide(ask(tenant, tokens), BOUND, now_s=0.0), Admit) and before:
            assert admission.tokens <= BOUND.limit_tokens * (1 + RESERVE)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=40))
def test_a_tenant_alone_has_the_whole_queue_and_no_reserve(asks: list[int]) -> None:
    admission = Admission()
    for tokens in asks:
        before = admission.tokens
        admitted = isinstance(admission.decide(ask(tokens=tokens), BOUND, now_s=0.0), Admit)
        assert admitted == (before == 0 or before + tokens <= BOUND.limit_tokens)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 400), st.data())
def test_what_stays_within_its_share_passes_a_queue_that_another_has_filled(
    light: int, heavy: int, size: int, data: st.DataObject
) -> None:
    admission = Admission()
    while isinstance(admission.decide(ask("greedy", size, weight=heavy), BOUND, now_s=0.0), Admit):
        pass
    fair = BOUND.limit_tokens * light / (light + heavy)
    within = data.draw(st.integers(1, int(min(fair, RESERVE * BOUND.limit_tokens))))
    assert admission.full(BOUND, tenant="modest", weight=light) is None
    assert isinstance(admission.decide(ask("modest", within, weight=light), BOUND, now_s=0.0), Admit)
    refused = admission.decide(ask("greedy", size, weight=heavy), BOUND, now_s=0.0)
    assert isinstance(refused, Shed)


@given(st.lists(st.tuples(tenants, st.integers(1, 600), st.integers(1, 5)), max_size=40), tenants, st.integers(1, 5))
def test_who_is_refused_unread_would_have_been_refused_for_a_single_token(
    asks: list[tuple[str, int, int]], tenant: str, weight: int
) -> None:
    admission = Admission()
    for name, tokens, each in asks:
        admission.decide(ask(name, tokens, weight=each), BOUND, now_s=0.0)
    full = admission.full(BOUND, tenant=tenant, weight=weight)
    if full is not None:
        assert full.retry_after_s > 0
        assert isinstance(admission.decide(ask(tenant, 1, weight=weight), BOUND, now_s=0.0), Shed)


def test_one_request_of_ten_texts_counts_like_ten_requests_of_one() -> None:
    batched, single = Admission(), Admission()
    batched.decide(ask(tokens=600), BOUND, now_s=0.0)
    for _ in range(10):
        single.decide(ask(tokens=60), BOUND, now_s=0.0)
    verdicts = [admission.decide(ask(tokens=500), BOUND, now_s=0.0) for admission in (batched, single)]
    assert verdicts[0] == verdicts[1] == Shed(100 / 500, ShedReason.QUEUE)


def test_a_busy_tenant_leaves_the_others_their_share() -> None:
    admission = Admission()
    while isinstance(admission.decide(ask("greedy", 50), BOUND, now_s=0.0), Admit):
        pass
    admission.settle(tenant="greedy", tokens=300)
    assert isinstance(admission.decide(ask("modest", 50), BOUND, now_s=0.0), Admit)
    refused = admission.decide(ask("greedy", 50), BOUND, now_s=0.0)
    assert isinstance(refused, Shed)
    assert refused.reason is ShedReason.SHARE


def test_weights_divide_a_busy_queue() -> None:
    admission = Admission()
    held = {"light": 0, "heavy": 0}
    for _ in range(100):
        for tenant, weight in (("light", 1), ("heavy", 3)):
            if isinstance(admission.decide(ask(tenant, 10, weight=weight), BOUND, now_s=0.0), Admit):
                held[tenant] += 10
    assert held == {"light": 250, "heavy": 750}


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 300)), min_size=1, max_size=60), st.floats(1, 500))
def test_a_rate_limit_holds_over_any_stretch_of_time(steps: list[tuple[float, int]], rate: float) -> None:
    admission, now_s, admitted, largest = Admission(), 0.0, 0, 0
    open_wide = QueueBound(limit_tokens=math.inf, tokens_per_s=1.0)
    for wait_s, tokens in steps:
        now_s += wait_s
        if isinstance(admission.decide(ask("t", tokens, rate=rate), open_wide, now_s=now_s), Admit):
            admitted, largest = admitted + tokens, max(largest, tokens)
    assert admitted <= rate * now_s + rate + largest + 1e-6


@given(st.integers(1, 500), st.integers(1, 500), st.floats(1, 500))
def test_after_the_time_that_was_named_the_rate_limit_lets_the_request_in(first: int, then: int, rate: float) -> None:
    admission = Admission()
    open_wide = QueueBound(limit_tokens=math.inf, tokens_per_s=1.0)
    assert isinstance(admission.decide(ask("t", first, rate=rate), open_wide, now_s=0.0), Admit)
    verdict = admission.decide(ask("t", then, rate=rate), open_wide, now_s=0.0)
    if isinstance(verdict, Shed):
        later_s = verdict.retry_after_s * 1.000001 + 1e-6
        assert isinstance(admission.decide(ask("t", then, rate=rate), open_wide, now_s=later_s), Admit)


class AdmissionMachine(RuleBasedStateMachine):
    """Requests come and end in any order: the books always balance."""

    def __init__(self) -> None:
        super().__init__()
        self.admission, self.running = Admission(), []

    @rule(tenant=tenants, tokens=st.integers(1, 400), weight=st.integers(1, 5))
    def arrive(self, tenant: str, tokens: int, weight: int) -> None:
        if isinstance(self.admission.decide(ask(tenant, tokens, weight=weight), BOUND, now_s=0.0), Admit):
            self.running.append((tenant, tokens))

    @precondition(lambda self: self.running)
    @rule(choice=st.integers(0, 10**6))
    def finish(self, choice: int) -> None:
        tenant, tokens = self.running.pop(choice % len(self.running))
        self.admission.settle(tenant=tenant, tokens=tokens)

    @invariant()
    def balances(self) -> None:
        assert self.admission.tokens == sum(tokens for _, tokens in self.running)
        if not self.running:
            assert self.admission == Admission(_buckets=self.admission._buckets)


TestAdmission = AdmissionMachine.TestCase
