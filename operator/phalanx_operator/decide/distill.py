"""Where a distillation stands, and what to do about its Job. Pure.

                     no Job               pods, none runs          a pod runs
    (make it) ---->  WAITING  ------->  WAITING  <---------->  RUNNING
                        ^                                        |   |
                        |    Job over, nobody left to say        |   |
                        +-------------- what came of it <--------+   |
                                                                     |
        FAILED  <---- Job failed (kept, with its last words)  <------+
        DONE    <---- a pod told its outcome (kept: never run again) <--

DONE and FAILED are in the ensemble's status: neither a restart of the operator nor a Job that somebody deletes begins
anything again. FAILED ends with another Job's name (the spec changed), DONE with another mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_contract.distillation import Outcome, Progress
from phalanx_operator.decide.conditions import Finding
from phalanx_operator.decide.distillation import (
    Course,
    Distillation,
    DistillerView,
    Failure,
    JobView,
    Phase,
    Remembered,
    Result,
    Wanted,
)

KEEP_JOB_S: Final = 3600.0
"""How long a Job whose outcome is known stays, for people to read its log."""
TELL_WITHIN_S: Final = 60.0
"""How long after a Job's end its pod may still tell the outcome: two watches do not speak with one voice."""
STEP: Final = 0.05
"""Progress is told in steps of this share, so that a status does not change every second."""
_OTHER_IMAGE: Final = "spec.distill.image has to be one of this release"
_LONGEST: Final = 1200
"""Characters of a pod's last words that a condition repeats."""


def decide_distillation(
    wanted: Wanted, job: JobView | None, pods: Sequence[DistillerView], before: Remembered, *, refusal: str, now: float
) -> Distillation:
    """One step. `pods` are those of the wanted result; `refusal` is what the cluster said when it did not take the Job.

    `now` is in the clock of `JobView.ended_at`.
    """
    result = _told(wanted, pods, before)
    if result is not None:
        return _done(result, job, now, recorded=before.result == result)
    kept = replace(before, progress=None)
    if before.failure is not None and before.failure.job == wanted.job:
        return _failed(before.failure, kept)
    kept = replace(kept, failure=None)
    if job is None:
        return _waiting(kept, Course.MAKE, _refused(refusal) if refusal else _pending("its Job is about to be made"))
    if job.deleting:
        return _waiting(kept, Course.LEAVE, _pending("its Job is being deleted and will be made anew"))
    if job.failure:
        return _failed(Failure(job=wanted.job, message=_last_words(job, pods)), kept)
    if job.ended_at is not None:
        return _ended(wanted, job, pods, kept, now)
    return _under_way(wanted, job, pods, kept, before.progress)


def forbidden(decided: Distillation, reason: Reason, message: str) -> Distillation:
    """The same where no Job may be made for the ensemble; what is there already stays, and is what it was."""
    if decided.phase is Phase.DONE:
        return decided
    finding = Finding(ConditionType.DISTILLED, ConditionStatus.FALSE, reason, message)
    return replace(decided, course=Course.LEAVE, finding=finding)


def paused(decided: Distillation) -> Distillation:
    """The same in a pool that is paused: what runs goes on, and nothing is made or deleted."""
    if decided.course is not Course.MAKE:
        return replace(decided, course=Course.LEAVE)
    waits = _pending("its Job is made when spec.paused of the pool is false again")
    return replace(decided, course=Course.LEAVE, finding=waits)


def _told(wanted: Wanted, pods: Sequence[DistillerView], before: Remembered) -> Result | None:
    """The wanted result, from the status or from a pod. One that lies elsewhere is none: where ensembles may lie is the
    pool's to say, and a pod says what its image wants."""
    if before.result is not None and before.result.mark == wanted.mark:
        return before.result
    found = next((pod.outcome for pod in pods if pod.outcome is not None and pod.outcome.uri == wanted.output), None)
    return None if found is None else Result(mark=wanted.mark, outcome=found)


def _done(result: Result, job: JobView | None, now: float, *, recorded: bool) -> Distillation:
    """The Job may go once the status has what its pod told, and people had time to read its log."""
    outdated = recorded and job is not None and job.ended_at is not None and now - job.ended_at > KEEP_JOB_S
    return Distillation(
        phase=Phase.DONE,
        course=Course.DELETE if outdated else Course.LEAVE,
        remembered=Remembered(result=result),
        finding=Finding(ConditionType.DISTILLED, ConditionStatus.TRUE, Reason.RESULT_READY, _praise(result.outcome)),
    )


def _ended(wanted: Wanted, job: JobView, pods: Sequence[DistillerView], kept: Remembered, now: float) -> Distillation:
    """The Job says that it is complete, and no pod has told an outcome."""
    if any(pod.outcome is not None for pod in pods):
        told = f"its pod tells of a result that is not at {wanted.output}"
        return _failed(Failure(job=wanted.job, message=f"{told}; {_OTHER_IMAGE}"), kept)
    if any(pod.ended and not pod.words for pod in pods):
        text = f"its pod ended well and told no outcome; {_OTHER_IMAGE}"
        return _failed(Failure(job=wanted.job, message=text), kept)
    if job.ended_at is not None and now - job.ended_at < TELL_WITHIN_S:
        return _waiting(kept, Course.LEAVE, _pending("its Job is complete; the outcome is awaited"))
    # The pod is gone, and what it said with it. The artifact lies there: another Job finds it, in no time.
    return _waiting(kept, Course.DELETE, _pending("its Job is complete, but its pod is gone; it is looked at again"))


def _under_way(
    wanted: Wanted, job: JobView, pods: Sequence[DistillerView], kept: Remembered, told: Progress | None
) -> Distillation:
    failed = [pod for pod in pods if pod.words]
    again = f"; {len(failed)} tries before failed, the last: {_short(failed[-1].words)}" if failed else ""
    running = next((pod for pod in pods if pod.running), None)
    if running is None:
        return _waiting(kept, Course.LEAVE, _pending(f"{_awaited(wanted, job, pods)}{again}"))
    progress = in_steps(running.progress, told)
    text = _course_of(progress) if progress is not None else f"pod {running.name} runs"
    return Distillation(
        phase=Phase.RUNNING,
        course=Course.LEAVE,
        remembered=replace(kept, progress=progress),
        finding=Finding(ConditionType.DISTILLED, ConditionStatus.FALSE, Reason.DISTILLING, f"{text}{again}"),
    )


def _awaited(wanted: Wanted, job: JobView, pods: Sequence[DistillerView]) -> str:
    """What no pod runs for."""
    if job.suspended:
        resume = """-p '{"spec":{"suspend":false}}'"""
        return (
            f"its Job is suspended, and makes no pod until the queue that did that (such as Kueue) lets it begin, or "
            f"somebody does: kubectl patch job {wanted.job} --type merge {resume}"
        )
    problem = next((pod.problem for pod in pods if pod.problem), "")
    return f"its pod waits: {problem}" if problem else "its pod is about to start"


def in_steps(seen: Progress | None, told: Progress | None) -> Progress | None:
    """Progress to tell: as before while the share is within the same step of the same stage, or is not known."""
    if seen is None:
        return told
    share = round(int(seen.share / STEP + 1e-9) * STEP, 2)
    if told is not None and (told.stage, told.share) == (seen.stage, share):
        return told
    left = None if seen.left_s is None else float(round(seen.left_s))
    return Progress(stage=seen.stage, share=share, left_s=left)


def _waiting(kept: Remembered, course: Course, finding: Finding) -> Distillation:
    return Distillation(phase=Phase.WAITING, course=course, remembered=kept, finding=finding)


def _failed(failure: Failure, kept: Remembered) -> Distillation:
    text = f"{failure.message}; change spec.distill, or raise spec.distill.attempt to try again"
    return Distillation(
        phase=Phase.FAILED,
        course=Course.LEAVE,
        remembered=replace(kept, failure=failure),
        finding=Finding(ConditionType.DISTILLED, ConditionStatus.FALSE, Reason.DISTILLATION_FAILED, text),
    )


def _pending(text: str) -> Finding:
    return Finding(ConditionType.DISTILLED, ConditionStatus.FALSE, Reason.JOB_PENDING, text)


def _refused(refusal: str) -> Finding:
    text = f"{refusal}. Change what this names in spec.distill, or the policy that refuses it; it is tried again"
    return Finding(ConditionType.DISTILLED, ConditionStatus.FALSE, Reason.APPLY_REFUSED, text)


def _last_words(job: JobView, pods: Sequence[DistillerView]) -> str:
    words = [pod.words for pod in pods if pod.words]
    return f"{_short(words[-1])} ({job.failure})" if words else job.failure


def _short(words: str) -> str:
    """The end is what matters of a log."""
    return words if len(words) <= _LONGEST else f"...{words[-_LONGEST:]}"


def _course_of(progress: Progress) -> str:
    left = "" if progress.left_s is None else f", about {_span(progress.left_s)} of it left"
    return f"{progress.stage}: {progress.share:.0%} done{left}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _praise(outcome: Outcome) -> str:
    shape = f"{outcome.students} students of {outcome.rows} rows"
    teacher = "" if outcome.teacher_accuracy is None else f", the teacher {outcome.teacher_accuracy:.2%}"
    agree = "" if outcome.agreement is None else f"; they agree on {outcome.agreement:.2%}"
    return f"{shape}, of held-out rows {outcome.accuracy:.2%} right{teacher}{agree}; at {outcome.uri}"
