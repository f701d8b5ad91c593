"""Every metric that crosses the boundary between worker, Prometheus and operator.

The worker registers exactly these; the operator's queries and the dashboards are written with these names.
Base units, one prefix, bounded labels: no label carries a tenant, a text or a plan's history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LATENCY_BUCKETS_S: Final = (
    0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016, 0.024, 0.032, 0.048, 0.064, 0.096, 0.128,
    0.192, 0.256, 0.384, 0.512, 0.768, 1.024, 1.536, 2.048, 4.096, 8.192,
)  # fmt: skip
"""Two steps an octave from 1 ms to 8 s, so that a p99 read off the buckets is within about 30 %."""

SCORE_BUCKETS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0,
)  # fmt: skip
"""Bounds for a ramp's exit score `1 - confidence`; the operator chooses thresholds among these."""

TOKEN_BUCKETS: Final = (4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A metric's name without suffixes that clients add, its kind, label names and help line.

    Counters are named without `_total`: the client library adds it; `exposed` is the name on the wire.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """The name of the series to query; for a histogram add `_bucket`, `_sum` or `_count`."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


REQUESTS: Final = Metric(
    name="phalanx_requests",
    kind="counter",
    labels=("ensemble", "code"),
    help="Texts answered, by ensemble and HTTP status (a batch of ten texts counts ten).",
)
TOKENS: Final = Metric(name="phalanx_tokens", kind="counter", labels=("ensemble",), help="Tokens of admitted texts.")
OFFERED_TOKENS: Final = Metric(
    name="phalanx_offered_tokens",
    kind="counter",
    labels=("ensemble",),
    help="Tokens of texts that were asked for, admitted or refused for want of capacity; what tenants ask beyond their "
    "own rates does not count.",
)
REQUEST_SECONDS: Final = Metric(
    name="phalanx_request_seconds",
    kind="histogram",
    labels=("ensemble",),
    buckets=LATENCY_BUCKETS_S,
    help="Seconds from the end of tokenization to the answer, per text.",
)
QUEUE_SECONDS: Final = Metric(
    name="phalanx_queue_seconds",
    kind="histogram",
    labels=("ensemble",),
    buckets=LATENCY_BUCKETS_S,
    help="Seconds a text waited for its batch.",
)
QUEUE_TOKENS: Final = Metric(
    name="phalanx_queue_tokens", kind="gauge", labels=("ensemble",), help="Tokens that wait for a batch."
)
BATCH_SECONDS: Final = Metric(
    name="phalanx_batch_seconds",
    kind="histogram",
    labels=("ensemble", "students"),
    buckets=LATENCY_BUCKETS_S,
    help="Seconds the engine spent on a batch, by the number of students.",
)
BATCH_TOKENS: Final = Metric(
    name="phalanx_batch_tokens",
    kind="counter",
    labels=("ensemble", "students"),
    help="Tokens computed, padding included, by the number of students.",
)
PADDING_TOKENS: Final = Metric(
    name="phalanx_padding_tokens", kind="counter", labels=("ensemble",), help="Padding tokens computed."
)
BUSY_SECONDS: Final = Metric(
    name="phalanx_engine_busy_seconds", kind="counter", help="Seconds in which the engine computed."
)
STUDENTS: Final = Metric(
    name="phalanx_students", kind="gauge", labels=("ensemble",), help="Students used by the latest batch."
)
STUDENTS_FLOOR: Final = Metric(
    name="phalanx_students_floor", kind="gauge", labels=("ensemble",), help="Fewest students the plan allows."
)
STUDENTS_CEILING: Final = Metric(
    name="phalanx_students_ceiling", kind="gauge", labels=("ensemble",), help="Most students the plan allows."
)
ANSWERS: Final = Metric(
    name="phalanx_answers",
    kind="counter",
    labels=("ensemble", "students"),
    help="Texts answered, by the number of students that voted.",
)
EXITS: Final = Metric(
    name="phalanx_exits",
    kind="counter",
    labels=("ensemble", "row"),
    help="Texts answered, by the row whose ramp answered; row `final` is the whole grid.",
)
RAMP_SCORE: Final = Metric(
    name="phalanx_ramp_score",
    kind="histogram",
    labels=("ensemble", "row", "agrees"),
    buckets=SCORE_BUCKETS,
    help="Exit score (1 - confidence) of every ramp for every text, by agreement with the final answer.",
)
ACCURACY_SPENT: Final = Metric(
    name="phalanx_accuracy_spent",
    kind="counter",
    labels=("ensemble",),
    help="Answers expected to differ from those of all students, by the held-out agreement of those that voted.",
)
ACCURACY_BUDGET_LEFT: Final = Metric(
    name="phalanx_accuracy_budget_left_ratio",
    kind="gauge",
    labels=("ensemble",),
    help="Share of the burst budget that is left: 1 while nothing is spent, 0 when the floor rises.",
)
SHED: Final = Metric(
    name="phalanx_shed",
    kind="counter",
    labels=("ensemble",),
    help="Texts refused with 429: at admission, or for want of an adapter slot.",
)
CAPACITY: Final = Metric(
    name="phalanx_capacity_tokens_per_second",
    kind="gauge",
    labels=("ensemble", "students"),
    help="Tokens a second that this worker computes, measured at warm-up and corrected online.",
)
PLAN_INFO: Final = Metric(name="phalanx_plan_info", kind="gauge", labels=("hash",), help="1 for the plan being served.")
PLAN_SWAPS: Final = Metric(name="phalanx_plan_swaps", kind="counter", help="Plans taken over since start.")
PLAN_ERRORS: Final = Metric(
    name="phalanx_plan_errors", kind="counter", help="Plans refused as torn or invalid since start."
)
ADAPTER_SLOTS: Final = Metric(
    name="phalanx_adapter_slots", kind="gauge", labels=("ensemble", "state"), help="Adapter slots, used and free."
)
ADAPTER_LOADS: Final = Metric(
    name="phalanx_adapter_loads", kind="counter", labels=("result",), help="Adapter loads, by result."
)
CANDIDATE_TEXTS: Final = Metric(
    name="phalanx_candidate_texts",
    kind="counter",
    labels=("ensemble", "result"),
    help="Texts that a candidate artifact was held against the serving one on, by result: `agrees`, `differs`, or "
    "`failed` where it gave no answer and the serving one did.",
)
CANDIDATE_SECONDS: Final = Metric(
    name="phalanx_candidate_seconds",
    kind="counter",
    labels=("ensemble", "artifact"),
    help="Seconds that the `candidate` and the `serving` artifact took for the same requests.",
)

ALL: Final = (
    REQUESTS, TOKENS, OFFERED_TOKENS, REQUEST_SECONDS, QUEUE_SECONDS, QUEUE_TOKENS, BATCH_SECONDS, BATCH_TOKENS,
    PADDING_TOKENS, BUSY_SECONDS, STUDENTS, STUDENTS_FLOOR, STUDENTS_CEILING, ANSWERS, EXITS, RAMP_SCORE,
    ACCURACY_SPENT,
    ACCURACY_BUDGET_LEFT, SHED, CAPACITY, PLAN_INFO, PLAN_SWAPS, PLAN_ERRORS, ADAPTER_SLOTS, ADAPTER_LOADS,
    CANDIDATE_TEXTS, CANDIDATE_SECONDS,
)  # fmt: skip
