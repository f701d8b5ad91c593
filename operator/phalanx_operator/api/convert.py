"""Parts of a checked spec, defaults filled in -> types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from phalanx_contract.distillation import Task
from phalanx_operator.api.types import (
    AdapterCache,
    ArtifactRollout,
    Canary,
    Distill,
    KeyRef,
    MetricsSource,
    Network,
    Prometheus,
    Replicas,
    Rollout,
    Surge,
    Worker,
)
from phalanx_operator.api.units import parse_duration, parse_quantity


def worker(spec: Mapping[str, Any]) -> Worker:
    """The knobs of the pod template."""
    return Worker(
        image=spec.get("image", ""),
        image_pull_policy=spec.get("imagePullPolicy"),
        image_pull_secrets=tuple(secret["name"] for secret in spec.get("imagePullSecrets", ())),
        resources=dict(spec.get("resources", {})),
        node_selector=dict(spec.get("nodeSelector", {})),
        tolerations=tuple(spec.get("tolerations", ())),
        runtime_class=spec.get("runtimeClassName"),
        priority_class=spec.get("priorityClassName"),
        env=tuple(spec.get("env", ())),
        device=spec["device"],
        termination_grace_s=spec["terminationGracePeriodSeconds"],
    )


def replicas(spec: Mapping[str, Any]) -> Replicas:
    """Bounds and count; no max means as many as min, and at least one."""
    return Replicas(min=spec["min"], max=spec.get("max", max(spec["min"], 1)), count=spec["count"])


def rollout(spec: Mapping[str, Any]) -> Rollout:
    """How pods are replaced."""
    return Rollout(max_surge=spec["maxSurge"], max_unavailable=spec["maxUnavailable"], surge=Surge(spec["surge"]))


def metrics(spec: Mapping[str, Any]) -> MetricsSource:
    """Where decisions read the load."""
    return MetricsSource(
        prometheus=prometheus(spec["prometheus"]) if "prometheus" in spec else None,
        interval_s=parse_duration(spec["interval"]),
        stale_after_s=parse_duration(spec["staleAfter"]),
    )


def prometheus(spec: Mapping[str, Any]) -> Prometheus:
    """A Prometheus and how to be let in."""
    credentials = spec.get("authorization", {}).get("credentials")
    tls = spec.get("tlsConfig", {})
    return Prometheus(
        url=spec["url"].rstrip("/"),
        timeout_s=parse_duration(spec["timeout"]),
        token=None if credentials is None else _key_ref("Secret", credentials, "authorization.credentials"),
        ca=next(_authorities(tls.get("ca", {})), None),
        server_name=tls.get("serverName", ""),
        org_id=spec.get("orgID", ""),
    )


def artifact_rollout(spec: Mapping[str, Any]) -> ArtifactRollout:
    """How a new artifact comes into its place."""
    canary = spec["canary"]
    return ArtifactRollout(
        canary=Canary(
            weight=canary["weightPercent"] / 100,
            min_agreement=float(canary["minAgreement"]),
            min_compared=canary["minCompared"],
            max_latency_ratio=float(canary["maxLatencyRatio"]),
            seconds=float(canary["seconds"]),
        ),
        progress_deadline_s=float(spec["progressDeadlineSeconds"]),
    )


def adapter_cache(spec: Mapping[str, Any]) -> AdapterCache:
    """Room for adapters."""
    return AdapterCache(device_slots=spec["deviceSlots"])


def allow(artifacts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Where artifacts may lie; None for everywhere. An empty list allows nothing."""
    prefixes = artifacts.get("allow")
    return None if prefixes is None else tuple(prefixes)


def cache_bytes(artifacts: Mapping[str, Any]) -> int | None:
    """Bound of the disk cache; None for no bound."""
    size = artifacts.get("cacheSize")
    return None if size is None else parse_quantity(size)


def network(policy: Mapping[str, Any]) -> Network:
    """Peers and rules are passed through as they are."""
    sources, egress = policy.get("from"), policy.get("egress")
    return Network(
        restricted=policy["mode"] == "Restricted",
        sources=None if sources is None else tuple(sources),
        egress=None if egress is None else tuple(egress),
    )


def distill(spec: Mapping[str, Any]) -> Distill:
    """What to distil, and the Job's pod."""
    return Distill(
        task=Task(
            teacher=spec["teacher"],
            data=spec["data"],
            output=spec["output"].rstrip("/"),
            text_column=spec["textColumn"],
            label_column=spec["labelColumn"],
            work=spec.get("work"),
            settings=distill_settings(spec),
        ),
        attempt=spec["attempt"],
        retries=spec["retries"],
        deadline_s=spec.get("deadlineSeconds"),
        resources=dict(spec.get("resources", {})),
        node_selector=dict(spec.get("nodeSelector", {})),
        tolerations=tuple(spec.get("tolerations", ())),
        image=spec.get("image", ""),
        service_account=spec.get("serviceAccountName", ""),
        fs_group=spec["fsGroup"],
        env=tuple(spec.get("env", ())),
    )


def distill_settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as `phalanx distill` takes them: with an accuracy budget, a shape that is not given is searched."""
    budget = spec.get("accuracyBudget")
    sought = None if budget is None else "auto"
    given: dict[str, Any] = {"count": spec.get("students", sought), "rows": spec.get("rows", sought)}
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = dict(spec.get("settings", {}))
    students = {**_section(settings, "students"), **chosen}
    if budget is not None:
        students["auto"] = {**_section(students, "auto"), "accuracy_budget": budget}
    return settings | {"seed": spec["seed"]} | ({"students": students} if students else {})


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of settings; what is no section is left for the Job to refuse by its path."""
    section = settings.get(name)
    return section if isinstance(section, Mapping) else {}


def _authorities(ca: Mapping[str, Any]) -> Iterator[KeyRef]:
    if "secret" in ca:
        yield _key_ref("Secret", ca["secret"], "tlsConfig.ca.secret")
    if "configMap" in ca:
        yield _key_ref("ConfigMap", ca["configMap"], "tlsConfig.ca.configMap")


def _key_ref(kind: Literal["Secret", "ConfigMap"], spec: Mapping[str, Any], field: str) -> KeyRef:
    return KeyRef(kind=kind, name=spec["name"], key=spec["key"], field=f"spec.metrics.prometheus.{field}")
