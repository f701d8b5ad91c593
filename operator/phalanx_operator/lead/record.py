"""The Lease object of the Kubernetes API (coordination.k8s.io/v1) and the record in it. Pure."""

from __future__ import annotations

import datetime

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.lead.election import Record

API_VERSION = "coordination.k8s.io/v1"


def record_of(lease: Manifest) -> Record:
    """What a Lease says; one that nobody has held yet, as the chart makes it, is a released one."""
    spec = lease.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        lease_s=float(spec.get("leaseDurationSeconds") or 0),
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        version=lease["metadata"]["resourceVersion"],
    )


def lease_of(record: Record, key: Key, *, base: Manifest | None) -> Manifest:
    """The Lease to write. `base` is the one that was read: its labels and owners stay."""
    metadata = dict((base or {}).get("metadata") or {})
    metadata.pop("managedFields", None)
    metadata |= {"name": key.name, "namespace": key.namespace}
    if record.version:
        metadata["resourceVersion"] = record.version
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            # Left out rather than empty: some API servers refuse an empty identity.
            **({"holderIdentity": record.holder} if record.holder else {}),
            "leaseDurationSeconds": max(1, round(record.lease_s)),
            "acquireTime": record.acquired,
            "renewTime": record.renewed,
            "leaseTransitions": record.transitions,
        },
    }


def stamp(now: float) -> str:
    """Seconds since 1970 as a Lease writes a time."""
    return datetime.datetime.fromtimestamp(now, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
