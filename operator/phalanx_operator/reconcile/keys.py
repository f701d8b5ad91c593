"""Tenants' API keys, as the plan carries them. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from phalanx_contract.plan import ApiKey
from phalanx_operator.api.types import Manifest, TenantAdapter

KEY: str = "apiKey"


def api_key_of(secret: Manifest) -> ApiKey | None:
    """The salted hash of a Secret's key; None if the Secret has no usable `apiKey`.

    The salt is made from the Secret's identity: every Secret has its own, and the plan does not change from round
    to round as it would with a random one. It does not have to be secret.
    """
    try:
        key = base64.b64decode((secret.get("data") or {}).get(KEY, ""), validate=True)
    except (binascii.Error, ValueError, TypeError):
        return None
    if not key:
        return None
    meta = secret["metadata"]
    identity = f"{meta.get('namespace', '')}/{meta['name']}/{meta.get('uid', '')}"
    salt = hashlib.sha256(identity.encode()).digest()[:16]
    return ApiKey(salt=salt.hex(), sha256=hashlib.sha256(salt + key).hexdigest())


def api_keys(secrets: Mapping[str, Manifest]) -> dict[str, ApiKey]:
    """The usable keys, by the Secret's name."""
    found = ((name, api_key_of(secret)) for name, secret in secrets.items())
    return {name: key for name, key in found if key is not None}


def by_adapter(adapters: list[TenantAdapter], keys: Mapping[str, ApiKey]) -> dict[str, ApiKey]:
    """The keys by the name of the TenantAdapter that refers to them."""
    return {
        adapter.meta.key.name: keys[adapter.api_key_secret]
        for adapter in adapters
        if adapter.api_key_secret is not None and adapter.api_key_secret in keys
    }
