"""A distillation goes on whatever happens to its Job, its pods and the operator, and is done once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phalanx_contract.conditions import Reason
from phalanx_contract.distillation import Outcome, Progress
from phalanx_operator.decide.distill import KEEP_JOB_S, TELL_WITHIN_S, decide_distillation, in_steps
from phalanx_operator.decide.distillation import (
    Course,
    DistillerView,
    Failure,
    JobView,
    Phase,
    Remembered,
    Result,
    Wanted,
)
from phalanx_operator.decide.remembered import distill_status, restored

OUTPUT = "pvc://models/out/ens-1"
WANTED = Wanted(mark="m" * 16, job="ens-1", output=OUTPUT)
NOW = 10_000.0


def outcome(digit: str = "a") -> Outcome:
    return Outcome(uri=OUTPUT, digest="sha256:" + digit * 64, students=3, rows=2, accuracy=0.9, seconds=7.5)


def decide(job=None, *pods, before=None, wanted=WANTED, refusal="", now=NOW):
    return decide_distillation(wanted, job, pods, before or Remembered(), refusal=refusal, now=now)


progresses = st.builds(
    Progress,
    stage=st.sampled_from(["teacher", "student 1 of 2", "measuring"]),
    share=st.floats(0, 1),
    left_s=st.none() | st.floats(0, 1e5),
)
outcomes = st.builds(outcome, st.sampled_from("abc"))
results = st.builds(Result, mark=st.sampled_from([WANTED.mark, "another"]), outcome=outcomes)
failures = st.builds(Failure, job=st.sampled_from([WANTED.job, "ens-0"]), message=st.text(min_size=1, max_size=9))
# A memory is what a status told, and a status has whole percents and seconds, whichever release wrote it.
told_progresses = st.builds(
    Progress,
    stage=st.sampled_from(["teacher", "student 1 of 2", "measuring"]),
    share=st.integers(0, 100).map(lambda percent: percent / 100),
    left_s=st.none() | st.integers(0, 10**5).map(float),
)
memories = st.builds(
    Remembered, result=st.none() | results, failure=st.none() | failures, progress=st.none() | told_progresses
)
pods = st.builds(
    DistillerView,
    name=st.sampled_from(["p", "q"]),
    ended=st.booleans(),
    running=st.booleans(),
    outcome=st.none() | outcomes,
    words=st.sampled_from(["", "it broke"]),
    problem=st.sampled_from(["", "no GPU is free"]),
    progress=st.none() | progresses,
)
jobs = st.none() | st.builds(
    JobView,
    failure=st.sampled_from(["", "BackoffLimitExceeded"]),
    ended_at=st.none() | st.floats(0, NOW),
    deleting=st.booleans(),
    suspended=st.booleans(),
)


@given(jobs, st.lists(pods, max_size=3), memories)
def test_a_result_that_is_there_is_never_made_again(job, found, before):
    done = replace(before, result=Result(mark=WANTED.mark, outcome=outcome()))
    decided = decide(job, *found, before=done)
    assert (decided.phase, decided.remembered.result) == (Phase.DONE, done.result)
    assert decided.course is not Course.MAKE


@given(jobs, st.lists(pods, max_size=3), memories)
def test_a_job_that_was_given_up_is_never_run_again_for_the_same_spec(job, found, before):
    failed = Failure(job=WANTED.job, message="it broke")
    decided = decide(job, *found, before=replace(before, result=None, failure=failed))
    assert decided.course is not Course.MAKE
    told = any(pod.outcome for pod in found)
    assert decided.phase is (Phase.DONE if told else Phase.FAILED)


@given(jobs, st.lists(pods, max_size=3), memories)
def test_an_earlier_result_is_kept_until_there_is_another(job, found, before):
    decided = decide(job, *found, before=before)
    if before.result is not None and decided.phase is not Phase.DONE:
        assert decided.remembered.result == before.result
    assert (decided.phase is Phase.DONE) == decided.finding.holds


@given(jobs, st.lists(pods, max_size=3), memories)
def test_a_job_is_made_only_where_there_is_none_and_deleted_only_after_its_end(job, found, before):
    decided = decide(job, *found, before=before)
    if decided.course is Course.MAKE:
        assert job is None
    if decided.course is Course.DELETE:
        assert job is not None
        assert job.ended_at is not None


@given(jobs, st.lists(pods, max_size=3), memories)
def test_nothing_is_forgotten_by_a_restart(job, found, before):
    decided = decide(job, *found, before=before)
    status = {"distill": distill_status(decided.remembered, job=WANTED.job)}
    assert restored(status) == decided.remembered
    again = decide(job, *found, before=restored(status))
    assert (again.phase, again.remembered) == (decided.phase, decided.remembered), "and the status settles"


@given(progresses, progresses)
def test_progress_is_told_in_steps_of_its_stage(seen, told):
    first = in_steps(told, None)
    later = in_steps(seen, first)
    assert later is not None
    assert later.share <= seen.share + 1e-9
    if seen.stage == told.stage and abs(seen.share - first.share) < 0.04 and seen.share >= first.share:
        assert later is first, "a status does not change with every batch"


def test_without_a_job_one_is_made():
    decided = decide()
    assert (decided.phase, decided.course, decided.finding.reason) == (Phase.WAITING, Course.MAKE, Reason.JOB_PENDING)


def test_a_job_that_somebody_deleted_in_the_middle_is_made_again():
    running = decide(JobView(), DistillerView(name="p", running=True))
    assert decide(before=running.remembered).course is Course.MAKE


def test_what_the_cluster_refuses_is_told_in_its_words_and_tried_again():
    decided = decide(refusal="jobs.batch is forbidden: exceeded quota")
    assert decided.course is Course.MAKE
    assert decided.finding.reason is Reason.APPLY_REFUSED
    assert "exceeded quota" in decided.finding.message


def test_a_job_that_somebody_suspended_is_told_as_such_with_the_way_on():
    failed = DistillerView(name="p", ended=True, words="evicted")
    decided = decide(JobView(suspended=True), failed)
    assert (decided.phase, decided.course, decided.finding.reason) == (Phase.WAITING, Course.LEAVE, Reason.JOB_PENDING)
    assert "its Job is suspended" in decided.finding.message and "about to start" not in decided.finding.message
    assert """kubectl patch job ens-1 --type merge -p '{"spec":{"suspend":false}}'""" in decided.finding.message
    assert "the last: evicted" in decided.finding.message
    ending = decide(JobView(suspended=True), DistillerView(name="p", running=True))
    assert ending.phase is Phase.RUNNING, "its pod is about to be deleted, and runs until then"


def test_a_pod_that_waits_says_for_what():
    decided = decide(JobView(), DistillerView(name="p", problem="0/3 nodes are available: Insufficient nvidia.com/gpu"))
    assert decided.phase is Phase.WAITING
    assert "Insufficient nvidia.com/gpu" in decided.finding.message


def test_a_running_pod_tells_its_stage_and_what_is_left():
    pod = DistillerView(name="p", running=True, progress=Progress(stage="student 2 of 4", share=0.47, left_s=750.0))
    decided = decide(JobView(), pod)
    assert decided.phase is Phase.RUNNING
    assert decided.finding.message == "student 2 of 4: 45% done, about 12 min of it left"


def test_a_pod_that_does_not_answer_for_a_moment_keeps_its_progress():
    before = Remembered(progress=Progress(stage="teacher", share=0.5))
    assert decide(JobView(), DistillerView(name="p", running=True), before=before).remembered == before


def test_an_evicted_pod_is_the_job_controllers_to_replace():
    evicted = DistillerView(name="p", ended=True, words="pod p: Evicted: the node was low on memory")
    between = decide(JobView(), evicted)
    assert (between.phase, between.course) == (Phase.WAITING, Course.LEAVE)
    after = decide(JobView(), evicted, DistillerView(name="q", running=True))
    assert after.phase is Phase.RUNNING
    assert "low on memory" in after.finding.message


def test_a_failed_job_is_told_with_the_last_pods_words_and_a_next_step():
    job = JobView(failure="BackoffLimitExceeded: it failed 7 times", ended_at=NOW)
    tries = (DistillerView(name=name, ended=True, words=f"{name}: no such column") for name in "pq")
    decided = decide(job, *tries)
    assert decided.phase is Phase.FAILED
    assert decided.finding.message.startswith("q: no such column (BackoffLimitExceeded: it failed 7 times); ")
    assert "spec.distill.attempt" in decided.finding.message
    assert decide(before=decided.remembered).finding.message == decided.finding.message, "also without the Job"


def test_another_spec_makes_another_job_after_a_failure():
    failed = Remembered(failure=Failure(job=WANTED.job, message="it broke"))
    assert decide(before=failed, wanted=replace(WANTED, job="ens-2")).course is Course.MAKE


def test_a_job_that_ended_with_nobody_left_to_say_what_came_of_it_is_looked_at_again():
    job = JobView(ended_at=NOW)
    early = decide(job, now=NOW + TELL_WITHIN_S - 1)
    assert (early.phase, early.course) == (Phase.WAITING, Course.LEAVE), "the pod's watch may be behind"
    late = decide(job, now=NOW + TELL_WITHIN_S + 1)
    assert (late.phase, late.course) == (Phase.WAITING, Course.DELETE)


def test_an_image_that_tells_no_outcome_is_not_run_for_ever():
    decided = decide(JobView(ended_at=NOW), DistillerView(name="p", ended=True))
    assert decided.phase is Phase.FAILED
    assert "spec.distill.image" in decided.finding.message


def test_a_job_stays_until_the_status_has_its_result_however_long_ago_it_ended():
    job, pod = JobView(ended_at=NOW), DistillerView(name="p", ended=True, outcome=outcome())
    first = decide(job, pod, now=NOW + 2 * KEEP_JOB_S)
    assert (first.phase, first.course) == (Phase.DONE, Course.LEAVE)
    assert decide(job, pod, before=first.remembered, now=NOW + 2 * KEEP_JOB_S).course is Course.DELETE


def test_a_job_stays_for_its_log_and_goes_then():
    done = Remembered(result=Result(mark=WANTED.mark, outcome=outcome()))
    job = JobView(ended_at=NOW)
    assert decide(job, before=done, now=NOW + KEEP_JOB_S - 1).course is Course.LEAVE
    assert decide(job, before=done, now=NOW + KEEP_JOB_S + 1).course is Course.DELETE


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"distill": {}},
        {"distill": {"result": {"mark": "m"}}},
        {"distill": {"result": "?"}},
        {"distill": {"stage": "teacher"}},
        {"distill": {"failure": {"job": "ens-1"}}},
    ],
)
def test_a_status_that_tells_nothing_is_no_error(status):
    assert restored(status) == Remembered()


class Cluster(RuleBasedStateMachine):
    """A Job controller, pods and an operator that stops and starts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.status, self.job, self.pods = 0.0, {}, None, []
        self.finished, self.told = False, []

    @rule()
    def operator_looks(self) -> None:
        """It remembers nothing but the status."""
        decided = decide(self.job, *self.pods, before=restored(self.status), now=self.now)
        self.status = {"distill": distill_status(decided.remembered, job=WANTED.job)}
        self.told.append(decided.phase)
        if decided.course is Course.MAKE:
            assert self.job is None
            self.job, self.pods = JobView(), [DistillerView(name="p", running=True)]
        elif decided.course is Course.DELETE:
            self.job, self.pods = None, []

    @rule(seconds=st.floats(1, 5000))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.job is not None and self.job.ended_at is None)
    @rule()
    def the_pod_is_evicted(self) -> None:
        self.pods = [DistillerView(name="p", ended=True, words="Evicted"), DistillerView(name="q", running=True)]

    @precondition(lambda self: self.job is not None and self.job.ended_at is None)
    @rule()
    def the_pod_finishes(self) -> None:
        self.pods, self.finished = [DistillerView(name="p", ended=True, outcome=outcome())], True
        self.job = JobView(ended_at=self.now)

    @rule()
    def somebody_deletes_the_job(self) -> None:
        self.job, self.pods = None, []

    @rule()
    def somebody_deletes_the_pods(self) -> None:
        self.pods = [] if self.job is None or self.job.ended_at is not None else self.pods

    @invariant()
    def what_is_done_stays_done(self) -> None:
        if Phase.DONE in self.told:
            assert set(self.told[self.told.index(Phase.DONE) :]) == {Phase.DONE}

    @invariant()
    def no_failure_is_made_up(self) -> None:
        assert Phase.FAILED not in self.told

    def teardown(self) -> None:
        """Left alone, it ends well."""
        for _ in range(4):
            self.operator_looks()
            self.time_passes(TELL_WITHIN_S + 1)
            if self.job is not None and self.job.ended_at is None:
                self.the_pod_finishes()
        self.operator_looks()
        assert self.told[-1] is Phase.DONE


TestAnyOrderOfEvents = Cluster.TestCase
