"""What decisions read and what they return. Pure data: time comes in as an argument."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from phalanx_contract.conditions import Reason
from phalanx_contract.plan import Artifact
from phalanx_contract.worker import WorkerStatus


class Action(enum.StrEnum):
    """What a decision does to the operating point."""

    RAISE = "Raise"
    LOWER = "Lower"
    STAY = "Stay"
    """The data were read and call for no change."""
    HOLD = "Hold"
    """The data do not allow a decision; what was decided before stays in force."""
    START = "Start"
    """A new artifact begins to be loaded, or to answer."""
    PROMOTE = "Promote"
    """It serves from now on."""
    ROLL_BACK = "RollBack"
    """It is let go, and what served before goes on."""


class DecisionReason(enum.StrEnum):
    """Why. docs/decisions.md documents each; a test keeps the two equal."""

    METRICS_MISSING = "MetricsMissing"
    METRICS_STALE = "MetricsStale"
    METRICS_INVALID = "MetricsInvalid"
    ARTIFACT_UNKNOWN = "ArtifactUnknown"
    PAUSED = "Paused"
    COOLING_DOWN = "CoolingDown"
    SPEC_BOUNDS = "SpecBounds"
    WITHIN_OBJECTIVE = "WithinObjective"
    OBJECTIVE_MISSED = "ObjectiveMissed"
    OVERLOADED = "Overloaded"
    HEADROOM = "Headroom"
    AT_FLOOR = "AtFloor"
    AT_CEILING = "AtCeiling"
    REPLICAS_COUNT = "ReplicasCount"
    REPLICAS_KEPT = "ReplicasKept"
    REPLICAS_PENDING = "ReplicasPending"
    WORKERS_CHANGING = "WorkersChanging"
    CAPACITY_SHORT = "CapacityShort"
    AT_MIN_REPLICAS = "AtMinReplicas"
    AT_MAX_REPLICAS = "AtMaxReplicas"
    EXITS_OFF = "ExitsOff"
    EXITS_FIXED = "ExitsFixed"
    EXITS_TOO_FEW_SAMPLES = "TooFewSamples"
    EXITS_WITHIN_BUDGET = "WithinAccuracyBudget"
    EXITS_OVER_BUDGET = "OverAccuracyBudget"
    SURGE_IDLE = "SurgeIdle"
    SURGE_FITS = "SurgeFits"
    SURGE_WAITS = "SurgeWaits"
    SURGE_DOES_NOT_FIT = "SurgeDoesNotFit"
    FIRST_ARTIFACT = "FirstArtifact"
    ARTIFACT_CURRENT = "ArtifactCurrent"
    NEW_ARTIFACT = "NewArtifact"
    SPEC_CHANGED = "SpecChanged"
    REPORTS_MISSING = "ReportsMissing"
    CANDIDATE_WARMING = "CandidateWarming"
    TENANTS_UNFIT = "TenantsUnfit"
    CANDIDATE_WARM = "CandidateWarm"
    ONE_BY_ONE = "OneByOne"
    CANDIDATE_REFUSED = "CandidateRefused"
    CANDIDATE_FAILED = "CandidateFailed"
    CANDIDATE_STUCK = "CandidateStuck"
    CANARY_RUNNING = "CanaryRunning"
    CANARY_AGREES = "CanaryAgrees"
    CANARY_DISAGREES = "CanaryDisagrees"
    CANARY_SLOW = "CanarySlow"
    CANARY_INCONCLUSIVE = "CanaryInconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class RampHistogram:
    """One ramp's exit scores since an earlier reading: cumulative counts by upper bound, as Prometheus gives them.

    `agrees[i]` and `differs[i]` count texts whose score is at most `bounds[i]`.
    """

    row: int
    bounds: tuple[float, ...]
    agrees: tuple[float, ...]
    differs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EnsembleMetrics:
    """One ensemble's load over the last window, summed over the live workers. None means unknown, never zero.

    `p99_s` is None where nothing was answered in the window. NaN, infinite and negative values may be passed on as
    they were read: decisions answer them with HOLD. `students` is how many answered, on average.
    """

    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    p99_s: float | None = None
    queue_tokens: float | None = None
    shed_per_s: float | None = None
    capacity_tokens_per_s: Mapping[int, float] = field(default_factory=dict)
    students: float | None = None
    ramps: tuple[RampHistogram, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What was seen of one pool's load. `at` is the time of the newest sample, in the clock of `now`.

    `problem` is empty, or says in a sentence why there are no metrics, or not all of them (then HOLD); `fault` is its
    kind, as the condition MetricsAvailable names it. `ramps_problem` says it of the ramps' statistics alone.
    """

    at: float | None
    workers: int
    busy_share: float | None = None
    ensembles: Mapping[str, EnsembleMetrics] = field(default_factory=dict)
    problem: str = ""
    fault: Reason = Reason.METRICS_MISSING
    ramps_problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactFacts:
    """What the workers report of the artifact that is served: needed to spend accuracy knowingly."""

    students: int
    rows: int
    ramps: int
    agreement: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """A number of students whose p99 missed the objective, each worker's load at which it did, the p99, and when."""

    students: int
    tokens_per_s: float
    p99_s: float
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StudentsState:
    """What was decided of the number of students, for the artifact `digest`.

    `ceiling` None means all that the artifact has. `lowered` says that load keeps the ceiling below what spec and
    artifact allow. `changed_at` is the time of the last change that load caused, in the clock of `now`.
    """

    digest: str = ""
    floor: int = 1
    ceiling: int | None = None
    lowered: bool = False
    changed_at: float | None = None
    missed: Missed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicasState:
    """What was decided of the number of workers, and what has been seen of the load. Times are in the clock of `now`.

    count: workers wanted.
    since: when the readings that are remembered began, without a gap.
    above_since: since when the load needs more workers.
    short_since: since when all workers together do not keep up, whatever the load says.
    changed_at: of the last change.
    pending_since: since when workers are not ready, or when more were asked for last; None once all are ready.
    peaks: what was needed, with the time: falling numbers, the latest last.
    """

    count: int = 0
    since: float | None = None
    above_since: float | None = None
    short_since: float | None = None
    changed_at: float | None = None
    pending_since: float | None = None
    peaks: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitsState:
    """What was decided of the ramps' thresholds, by row, for the artifact `digest`."""

    digest: str = ""
    thresholds: tuple[float, ...] = ()
    raised_at: float | None = None


class Stage(enum.StrEnum):
    """Where an ensemble's artifact is on its way."""

    SERVING = "Serving"
    """The one that the spec names serves."""
    WARMING = "Warming"
    """Workers load it beside the one that serves."""
    CANARY = "Canary"
    """It answers some of the requests."""
    ROLLED_BACK = "RolledBack"
    """It was let go; what served before goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """An artifact that was rolled back, which generation of the spec named it, and why it was."""

    artifact: Artifact
    generation: int
    reason: DecisionReason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutState:
    """What was decided of an ensemble's artifact.

    serving: what the plan has in the ensemble's place; None before the first.
    students: how many that has; 0 until a worker serves it.
    candidate: what may take that place.
    since: when the stage began, or got one worker further, in the clock of `now`; later by what did not count of it.
    alone: workers without room for two artifacts, which let go of what they hold first; all but the last have done so.
    counted_s: what counted of the stage when it began to wait for others to go on (workers to come, reports, tenants to
        fit, a pause to end); None while time counts.
    """

    serving: Artifact | None = None
    students: int = 0
    candidate: Artifact | None = None
    stage: Stage = Stage.SERVING
    since: float = 0.0
    rejected: Rejected | None = None
    alone: tuple[str, ...] = ()
    counted_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerView:
    """One pod of a pool, not counting those that terminate.

    `report` is None where the worker did not answer. `problem` is `WorkersUnschedulable`, `WorkersCrashing` or
    `ImageNotPulled`, with a message, where the pod's status says so; `lasts`, that it will not pass in a moment.
    `started` is whether its node made a container of it.
    """

    name: str
    ready: bool
    report: WorkerStatus | None = None
    problem: Reason | None = None
    message: str = ""
    lasts: bool = True
    started: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """What the Deployment says of a pool's pods. The sentences are the controller's, and empty where all is well.

    outdated: pods that still have an earlier template.
    stuck: there has been no progress for as long as the Deployment allows (`progressDeadlineSeconds`).
    refused: why pods cannot be created: a quota, an admission policy.
    """

    outdated: int = 0
    stuck: str = ""
    refused: str = ""


SETTLED: Final = Deployed()
"""Nothing to say."""

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision(Generic[State]):
    """The outcome: the new state, what was done, why in one word, and why in a sentence with the numbers."""

    state: State
    action: Action
    reason: DecisionReason
    message: str
