"""Every knob of the worker, with unit, default and reason. One place: environment and options end up here.

Variables named by the contract (`PHALANX_PORT`, ...) are what the operator writes into a pod. Every other setting can
be given as `PHALANX_WORKER_<NAME>`; an unknown name with that prefix is refused, and so is an unknown option.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from phalanx_contract import limits, runtime
from phalanx_contract.errors import FieldError

ENV_PREFIX: Final = "PHALANX_WORKER_"

_CONTRACT_ENV: Final = {
    runtime.ENV_HOST: "host",
    runtime.ENV_PORT: "port",
    runtime.ENV_PLAN_DIR: "plan_dir",
    runtime.ENV_CLAIMS_DIR: "claims_dir",
    runtime.ENV_CACHE_DIR: "cache_dir",
    runtime.ENV_CACHE_BYTES: "cache_bytes",
    runtime.ENV_DEVICE: "device",
    runtime.ENV_POD_NAME: "pod_name",
}

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worker's settings; defaults suit a pod."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside of it
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = runtime.HTTP_PORT
    """TCP port; 0 takes a free one."""
    plan_dir: str = runtime.PLAN_DIR
    """Folder with the plan's files."""
    claims_dir: str = runtime.CLAIMS_DIR
    """Folder in which claims are mounted: `pvc://NAME/PATH` is read at `NAME/PATH` in it."""
    cache_dir: str = runtime.CACHE_DIR
    """Folder for local copies of artifacts, by digest; survives a restart of the container."""
    cache_bytes: Annotated[int, Meta(ge=0)] = 0
    """Most bytes on the disk of local copies; 0 is no bound. What the plan does not name is dropped to stay within it,
    and, with or without a bound, when the disk is full."""
    pod_name: str = ""
    """Name of the pod, for the log."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where grids run; `auto` takes CUDA if there is any."""
    dtype: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of weights; `auto` is bf16 where the device multiplies it natively (recent CUDA; CPUs with
    AVX512_BF16 or AMX), else fp32, whatever the artifact was saved in. bf16 moves logits and embeddings within the
    tolerance that docs/execution.md states; fp32 answers equal the reference's."""
    execution: str = "auto"
    """How the grid is run, by one of the names in docs/execution.md and docs/platform.md; `auto` suits the device."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """CPU threads of one forward pass; 0 takes every core that this process may run on. They are the engine's: by
    default students and texts are dealt to them, one thread each, so that no operator waits for another core."""
    tokenizer_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    """Threads that tokenize. More than the cores left by the engine only makes the tail worse."""
    adapter_slots: Annotated[int, Meta(ge=1, le=16384)] = 64
    """Adapters of each ensemble that can be on the device at once."""
    adapter_rank: Annotated[int, Meta(ge=1, le=256)] = limits.ADAPTER_RANK
    """Largest rank of an adapter: every slot has room for it. One of a higher rank is refused (RankTooHigh)."""

    models_bytes: Annotated[int, Meta(ge=0)] = 0
    """Most bytes of weights of all artifacts that are held at a time; 0 is no bound but the machine's. On a CPU, where
    the kernel ends a process that asks for too much, it turns that into a load that fails (OutOfMemory)."""

    max_body_bytes: Count = 2 * 1024 * 1024
    """Largest request body; beyond it 413."""
    max_texts: Count = 512
    """Most texts of one request."""
    request_timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    """A text that has not reached a batch by then is dropped (503): its client has given up."""
    batch_tokens: Count = 8192
    """Most tokens of a batch, padding included. The objective usually binds first."""
    drain_batch_tokens: Count = 1024
    """Size of the batches in which a queue is predicted to drain."""
    batch_texts: Count = 64
    """Most texts of a batch."""
    batch_padding: Share = 0.25
    """Largest share of padding in a batch."""
    batch_share: Annotated[float, Meta(gt=0, le=1)] = 0.3
    """A batch may take this share of the objective: a text waits for the batch before its own, and for the queue."""
    queue_slack: Annotated[float, Meta(ge=1, le=1000)] = 4.0
    """Requests are refused once the queue would take this many objectives to drain at the fewest students: an answer
    that is somewhat late is better than none, one that is much too late is not."""
    queue_min_tokens: Count = 512
    """The queue may always be so long, whatever the objective: otherwise a tight one on a slow device serves nobody."""
    raise_after_s: Seconds = 0.6
    """Calm time before the burst guard adds a student; less of it the lower the load."""
    accuracy_window_s: Annotated[float, Meta(ge=1, le=86400)] = 300.0
    """Time over which the share of answers that dropped students change is averaged: what calm minutes earn, a burst
    may spend."""

    plan_poll_s: Annotated[float, Meta(gt=0, le=60)] = 0.25
    """Time between two looks at the plan's files: one or two system calls each."""
    retry_first_s: Annotated[float, Meta(gt=0, le=3600)] = 1.0
    """Wait before the second attempt to fetch an artifact; doubles with each."""
    retry_max_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Longest wait between two attempts."""
    store_stall_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    """A store that gives nothing for so long has failed, and is tried again later. Longer than a network's hiccups, and
    short enough that the reason is told before anybody has to look for it."""
    tenants_wait_s: Seconds = 10.0
    """Where nothing answers yet, a model waits so long for the first attempt of each of its tenants, then it serves
    without those that are late: most adapters come within a second, and no tenant's store may keep a model away."""
    tenants_swap_s: Seconds = 300.0
    """The same for a model that takes another's place: what serves goes on meanwhile, for all tenants."""
    self_check_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    """An engine without work for so long runs a small forward pass, so that a dead device is noticed."""
    stall_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """A batch that takes longer counts as a hung device: readiness fails."""
    drain_lag_s: Seconds = 5.0
    """After SIGTERM new connections are still taken for so long: routers notice late that the pod ends (a kube-proxy
    after a second or two, load balancers outside of the cluster after several)."""
    unready_lag_s: Seconds = runtime.READY_PERIOD_S * runtime.READY_FAILURES + 2.0
    """A worker that has to stop answering for a while, and is not about to end, still takes requests for so long:
    routers learn of it from the readiness probe alone."""
    drain_s: Seconds = 45.0
    """Most time for a drain; below a pod's termination grace of 60 s."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    contract = {field: key for key, field in _CONTRACT_ENV.items()}
    return contract.get(name, f"{ENV_PREFIX}{name.upper()}")


def read_settings(env: Mapping[str, str], **options: object) -> Settings:
    """Settings from the environment, with options (those that are not None) on top.

    Raises:
        FieldError: an unknown name, or a value out of bounds; `field` is the variable or the setting.
    """
    values: dict[str, Any] = {name: env[key] for key, name in _CONTRACT_ENV.items() if key in env}
    for key in sorted(env):
        if key.startswith(ENV_PREFIX):
            values[_known(key.removeprefix(ENV_PREFIX).lower(), key)] = env[key]
    values |= {_known(name, name): value for name, value in options.items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise FieldError.of(error) from error


def _known(name: str, shown: str) -> str:
    if name not in Settings.__struct_fields__:
        raise FieldError(shown, f"no such setting; there is {', '.join(Settings.__struct_fields__)}")
    return name


def cores() -> int:
    """CPU cores that this process may run on (a container's affinity counts, its neighbours' cores do not)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
