"""`spec.metrics` of the ServingPool: where decisions read the load. Names are those of prometheus-operator."""

from __future__ import annotations

from typing import Final

from phalanx_operator.api.schema.fields import Schema, duration, obj, string
from phalanx_operator.api.schema.shared import NAME

_KEY: Final = r"^[-._a-zA-Z0-9]+$"
_HOST: Final = r"^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$"
_ORG_ID: Final = r"^[-a-zA-Z0-9!._*'()|]+$"


def metrics() -> Schema:
    """The source, and how fresh its samples have to be."""
    return obj(
        "Where decisions read the load.",
        {
            "prometheus": _prometheus(),
            "interval": duration("Time between two decisions.", default="10s"),
            "staleAfter": duration(
                "Age at which the newest sample no longer counts; decisions then hold what they had.", default="60s"
            ),
        },
        default={},
    )


def _prometheus() -> Schema:
    return obj(
        "A Prometheus that scrapes the workers, or what answers like one (Thanos, Mimir, VictoriaMetrics). When left "
        "out, the operator reads the pods' /metrics itself.",
        {
            "url": string(
                "Base URL of its HTTP API, such as http://prometheus.monitoring:9090. It has to be https:// with "
                "authorization or tlsConfig; redirects are not followed.",
                pattern=r"^https?://\S+$",
                length=(8, 2048),
            ),
            "authorization": _authorization(),
            "tlsConfig": _tls_config(),
            "orgID": string(
                "Sent as the header X-Scope-OrgID, by which Mimir and Cortex tell their tenants apart.",
                pattern=_ORG_ID,
                length=(1, 512),
            ),
            "timeout": duration("Longest wait for the answer to a query, from 1s to 60s.", default="10s"),
        },
        required=("url",),
    )


def _authorization() -> Schema:
    return obj(
        "Who the operator is to Prometheus: sent as `Authorization: Bearer ...`.",
        {"credentials": _key_of("Secret", "The token. A new one is taken up within two minutes.", key="token")},
        required=("credentials",),
    )


def _tls_config() -> Schema:
    return obj(
        "How its certificate is checked. It always is: an operator that took any certificate would hand its token to "
        "whoever answers.",
        {
            "ca": obj(
                "Certificate authorities (PEM) that are trusted in place of the public ones: a Secret or a ConfigMap.",
                {
                    "secret": _key_of("Secret", "They lie in a Secret.", key="ca.crt"),
                    "configMap": _key_of("ConfigMap", "They lie in a ConfigMap.", key="ca.crt"),
                },
            ),
            "serverName": string(
                "Host name in the certificate, where it is not the one of the URL.", pattern=_HOST, length=(1, 253)
            ),
        },
    )


def _key_of(kind: str, description: str, *, key: str) -> Schema:
    return obj(
        description,
        {
            "name": string(f"Name of the {kind}, in the namespace of the pool.", pattern=NAME),
            "key": string(f"Key in the {kind}.", pattern=_KEY, default=key),
        },
        required=("name",),
    )
