"""What to do about a field that is missing or wrong: one sentence for each that people stumble over."""

from __future__ import annotations

import re
from typing import Final

_HINTS: Final = {
    "metadata.name": "give the resource a name",
    "spec": "add it; the folder examples/ has whole resources",
    "spec.pool": "name a ServingPool of the same namespace",
    "spec.ensemble": "name a StudentEnsemble of the same namespace",
    "spec.artifact": "give the artifact's uri and digest",
    "spec.artifact.uri": "write file:///PATH, pvc://CLAIM/PATH, http(s)://..., s3://... or gs://...",
    "spec.artifact.digest": "copy the digest that `phalanx inspect` prints (sha256: and 64 hex digits)",
    "spec.distill.teacher": "write the URI of a checkpoint's folder, or the name of an encoder that the image has",
    "spec.distill.data": "write the URI of a .jsonl or .csv file, or the name of a data set that the image has",
    "spec.distill.output": "write pvc://CLAIM/PATH, s3://BUCKET/PATH or gs://BUCKET/PATH",
    "spec.distill.work": "write pvc://CLAIM/PATH",
    "spec.objective.p99": "write a duration, such as 20ms",
    "spec.metrics.interval": "write a duration, such as 10s",
    "spec.metrics.staleAfter": "write a duration, such as 60s",
    "spec.metrics.prometheus.url": "write the base URL, such as http://prometheus.monitoring:9090",
    "spec.metrics.prometheus.timeout": "write a duration from 1s to 60s, such as 10s",
    "spec.metrics.prometheus.authorization.credentials": "name a Secret of the same namespace and its key",
    "spec.metrics.prometheus.authorization.credentials.name": "name a Secret of the same namespace that has the token",
    "spec.artifacts.cacheSize": "write a quantity, such as 20Gi",
    "spec.apiKeySecret.name": "name a Secret of the same namespace that has the key apiKey",
    "spec.rateLimit.tokensPerSecond": "write a number above 0, or leave rateLimit out",
    "spec.artifacts.allow": "write a list of prefixes, such as s3://models/team-a or pvc://models",
    "spec.artifacts.claims": "list names of PersistentVolumeClaims",
}
_INDEX: Final = re.compile(r"\[\d+\]")


def hint_for(field: str) -> str:
    """The sentence for a field, else where to read about it."""
    known = _HINTS.get(_INDEX.sub("", field))
    return known or f"see docs/reference.md or `kubectl explain` for {field or 'the resource'}"
