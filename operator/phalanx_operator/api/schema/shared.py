"""Parts of a spec that more than one kind has."""

from __future__ import annotations

from typing import Final

from phalanx_contract.limits import MAX_NAME, MAX_POOL_NAME
from phalanx_operator.api.schema.fields import Schema, obj, string

SCHEMES: Final = ("file", "pvc", "http", "https", "s3", "gs")
"""Where artifacts may lie."""

DIGEST: Final = r"^sha256:[0-9a-f]{64}$"
URI: Final = rf"^({'|'.join(SCHEMES)})://\S+$"
PREFIX: Final = rf"^({'|'.join(SCHEMES)})://\S*$"
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME: Final = rf"^{_LABEL}(\.{_LABEL})*$"
POOL_NAME: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"


def artifact(what: str) -> Schema:
    """Where an artifact lies and what it must be."""
    return obj(
        f"Where the {what} lies and what it must be. Workers refuse an artifact with another digest.",
        {
            "uri": string(
                "Folder of the artifact: file:///path (in the worker's image), pvc://CLAIM/PATH (the claim has to be "
                "listed in the pool's artifacts.claims), https://, http://, s3:// or gs://. No credentials.",
                pattern=URI,
                length=(6, 2048),
            ),
            "digest": string(
                "Digest of the artifact's manifest, which holds the digest of every file: sha256: and 64 hex digits, "
                "as phalanx inspect prints it.",
                pattern=DIGEST,
                length=(71, 71),
            ),
        },
        required=("uri", "digest"),
    )


def name(description: str, *, longest: int = MAX_NAME) -> Schema:
    """The name of another resource in the same namespace."""
    return string(description, pattern=NAME, length=(1, longest))


def pool_name(description: str) -> Schema:
    """The name of a ServingPool in the same namespace."""
    return string(description, pattern=POOL_NAME, length=(1, MAX_POOL_NAME))
