"""Spec of the TenantAdapter: one tenant on one ensemble."""

from __future__ import annotations

from phalanx_operator.api.schema.fields import Schema, integer, number, obj
from phalanx_operator.api.schema.shared import artifact, name


def spec() -> Schema:
    """Ensemble and artifact are the user's; the rest has defaults."""
    return obj(
        "One tenant. Requests name it in the model (ENSEMBLE:TENANT) or in the header X-Phalanx-Tenant.",
        {
            "ensemble": name("StudentEnsemble in the same namespace that the adapter was trained on."),
            "artifact": artifact("adapter"),
            "weight": integer("Share of the pool under contention, relative to others.", low=1, high=1000, default=1),
            "rateLimit": obj(
                "Bound on the tenant's traffic. When left out, there is none.",
                {
                    "tokensPerSecond": number(
                        "Tokens a second that each worker admits from the tenant; more is answered with 429.",
                        low=0,
                        high=1e9,
                        open_low=True,
                    )
                },
                required=("tokensPerSecond",),
            ),
            "apiKeySecret": obj(
                "Secret whose key apiKey holds the tenant's API key. When left out, the tenant needs none.",
                {"name": name("Name of the Secret in the same namespace.", longest=253)},
                required=("name",),
            ),
        },
        required=("ensemble", "artifact"),
    )
