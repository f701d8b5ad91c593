"""Specs of the three resources as frozen types, every default filled in.

These are what `decide/` and `build/` work on; `api.parse` makes them from the dictionaries of the Kubernetes
API and reports what is wrong with the path of the field.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phalanx_contract.distillation import Task
from phalanx_contract.plan import Artifact

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON data: the one place where `Any` is at home."""


@dataclass(frozen=True, slots=True)
class Key:
    """A namespaced name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meta:
    """The parts of an object's metadata that decisions and owner references need."""

    key: Key
    uid: str = ""
    generation: int = 0
    created: str = ""
    """creationTimestamp (ISO 8601): where there is no room for all, the oldest stay."""
    labels: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False


class Autoscaling(enum.StrEnum):
    """Who decides the number of workers; never two at a time."""

    OPERATOR = "Operator"
    """The operator, from the load."""
    EXTERNAL = "External"
    """Whoever writes `replicas.count`, by the scale subresource or the spec."""
    OFF = "Off"
    """Nobody here: the Deployment keeps the number that it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replicas:
    """Bounds, and `count`, which the scale subresource writes: the live count is `count` clamped, else `min`."""

    min: int = 1
    max: int = 1
    count: int | None = None

    @property
    def desired(self) -> int:
        """The number of workers to run."""
        return min(max(self.min if self.count is None else self.count, self.min), self.max)


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """Knobs of the pod template. `resources`, `tolerations` and `env` are passed through unchanged.

    An empty `image` means the worker image of the operator's own release.
    """

    image: str = ""
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    resources: Manifest = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    runtime_class: str | None = None
    priority_class: str | None = None
    env: tuple[Manifest, ...] = ()
    device: str = "auto"
    termination_grace_s: int = 60


class Surge(enum.StrEnum):
    """Whether a rolling update tries to begin with a further pod."""

    NEVER = "Never"
    WHEN_IT_FITS = "WhenItFits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """Both in pods. Surge is off by default: with every GPU taken, a surge pod would wait for ever."""

    max_surge: int = 0
    max_unavailable: int = 1
    surge: Surge = Surge.NEVER


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRef:
    """One key of a Secret or ConfigMap in the namespace of the resource; `field` is where the spec names it."""

    kind: Literal["Secret", "ConfigMap"]
    name: str
    key: str
    field: str

    def __str__(self) -> str:
        return f"key {self.key} of {self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prometheus:
    """A Prometheus, or what answers like one (Thanos, Mimir, VictoriaMetrics), and how to be let in.

    Without `ca` the certificate authorities of the operator's image are trusted. An empty `server_name` means the host
    of the URL, an empty `org_id` no such header.
    """

    url: str
    timeout_s: float = 10.0
    token: KeyRef | None = None
    ca: KeyRef | None = None
    server_name: str = ""
    org_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsSource:
    """Where the operator reads metrics: a Prometheus, or without one the pods' own /metrics."""

    prometheus: Prometheus | None = None
    interval_s: float = 10.0
    stale_after_s: float = 60.0

    @property
    def window_s(self) -> float:
        """Load is averaged over so long: recent, and still known if a reading fails.

        Prometheus scrapes at its own, often longer, interval, and its rate() needs two samples within the window.
        """
        return self.interval_s * (3 if self.prometheus is None else 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterCache:
    """Room for adapters in each worker: slots on the device."""

    device_slots: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """Who may reach the workers, as peers of a NetworkPolicy, and where they may connect to, as its egress rules.

    `sources` None: all pods of the namespace. `egress` None: everywhere.
    """

    restricted: bool = False
    sources: tuple[Manifest, ...] | None = None
    egress: tuple[Manifest, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingPool:
    """The hardware: one Deployment of workers."""

    meta: Meta
    worker: Worker = field(default_factory=Worker)
    replicas: Replicas = Replicas()
    autoscaling: Autoscaling = Autoscaling.OPERATOR
    objective_p99_s: float = 0.05
    rollout: Rollout = Rollout()
    metrics: MetricsSource = MetricsSource()
    adapter_cache: AdapterCache = AdapterCache()
    claims: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None
    """Prefixes of the URIs that artifacts may have; None allows all."""
    cache_bytes: int | None = None
    network: Network = Network()
    distillation: bool = False
    """Whether ensembles may run distillation Jobs."""
    paused: bool = False
    recommend_only: bool = False


class ExitsMode(enum.StrEnum):
    """How the thresholds of the ramps come about."""

    OFF = "Off"
    FIXED = "Fixed"
    AUTO = "Auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exits:
    """Early exits. `thresholds` is used by `Fixed` alone: one value for each ramp row, from row 0."""

    mode: ExitsMode = ExitsMode.OFF
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """How much agreement with the full grid may be spent: always, and during a burst."""

    loss: float = 0.01
    burst_loss: float = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class Students:
    """Bounds of the number of students; no max means all that the artifact has."""

    min: int = 1
    max: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """The trial of a new artifact: it answers `weight` of the requests (0: no trial) for `seconds` at least, until
    `min_compared` texts are compared, and has to agree on `min_agreement` of them within `max_latency_ratio` times the
    time."""

    weight: float = 0.0
    min_agreement: float = 0.9
    min_compared: int = 200
    max_latency_ratio: float = 1.5
    seconds: float = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRollout:
    """How a new artifact takes the place of the one that serves."""

    canary: Canary = Canary()
    progress_deadline_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Distill:
    """What to distil an artifact from, and how the Job's pod is to be.

    `task.output` is the folder that the results of all specs lie in. An empty `image` means that of the pool's workers,
    an empty `service_account` theirs.
    """

    task: Task
    attempt: int = 1
    retries: int = 6
    deadline_s: int | None = None
    resources: Manifest = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    image: str = ""
    service_account: str = ""
    fs_group: int = 65532
    env: tuple[Manifest, ...] = ()


class NoArtifactError(LookupError):
    """An ensemble was asked for its artifact before there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudentEnsemble:
    """The model. `source` is its artifact, or what this is to be distilled from."""

    meta: Meta
    pool: str
    source: Artifact | Distill
    students: Students = Students()
    exits: Exits = Exits()
    accuracy: Accuracy = Accuracy()
    rollout: ArtifactRollout = ArtifactRollout()

    @property
    def artifact(self) -> Artifact:
        """What it serves.

        Raises:
            NoArtifactError: it is still to be distilled; a round gives it what came of that as its `source`.
        """
        if isinstance(self.source, Distill):
            raise NoArtifactError(f"{self.meta.key}: spec.distill has no result yet")
        return self.source


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantAdapter:
    """One tenant on one ensemble. `api_key_secret` names a Secret with the key `apiKey`."""

    meta: Meta
    ensemble: str
    artifact: Artifact
    weight: int = 1
    rate_tokens_per_s: float | None = None
    api_key_secret: str | None = None
