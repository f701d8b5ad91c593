"""Looks for secrets in whatever somebody may read."""

from __future__ import annotations

import base64
import hashlib


def spellings(secret: str) -> set[str]:
    """How a secret may look: as it is, as hex, as base64 wherever it begins in a longer text, hashed without salt."""
    raw = secret.encode()
    hashes = (hashlib.new(name, raw) for name in ("md5", "sha1", "sha256"))
    found = {secret, raw.hex(), *(each.hexdigest() for each in hashes)}
    for before in range(3):
        # Base64 takes three bytes at a time: what depends on the text before or behind is cut off.
        whole = base64.b64encode(b"\0" * before + raw[: (len(raw) + before) // 3 * 3 - before]).decode()
        found.add(whole[4 if before else 0 :])
    return found | {text.replace("+", "-").replace("/", "_") for text in found}


def leaks(text: str, *secrets: str) -> list[str]:
    """The secrets that occur in a text, in any spelling; upper and lower case count as the same for hex."""
    lowered = text.lower()
    return [
        secret
        for secret in secrets
        if any(spelling in text or spelling.lower() in lowered for spelling in spellings(secret))
    ]
