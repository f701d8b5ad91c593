"""What a Prometheus wants to see before it answers: the token and the certificate authorities that a pool's spec names.

AccessError              a Secret or ConfigMap is missing, or does not hold what it should; the text says what to do,
                         and never what the Secret holds
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import ssl
from typing import Final

from phalanx_operator.api.types import KeyRef, Manifest, Prometheus
from phalanx_operator.errors import ClusterError
from phalanx_operator.observe.promapi import Endpoint
from phalanx_operator.reconcile.ports import Cluster

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""What may stand in the header: printable, no spaces."""


class AccessError(Exception):
    """Prometheus cannot be asked."""


async def endpoint_of(cluster: Cluster, namespace: str, source: Prometheus, *, fresh: bool) -> Endpoint:
    """Where to ask, with token and certificate authorities; with `fresh` none of them from memory.

    Raises:
        AccessError: one of them is not to be had.
    """
    token = None if source.token is None else await _read(cluster, namespace, source.token, fresh=fresh)
    authorities = None if source.ca is None else await _read(cluster, namespace, source.ca, fresh=fresh)
    return Endpoint(
        url=source.url,
        timeout_s=source.timeout_s,
        token="" if source.token is None or token is None else _token(token, source.token),
        credentials="" if source.token is None else str(source.token),
        tls=True if source.ca is None or authorities is None else _context(authorities, source.ca),
        server_name=source.server_name,
        org_id=source.org_id,
    )


async def _read(cluster: Cluster, namespace: str, ref: KeyRef, *, fresh: bool) -> bytes:
    """The value of a key."""
    read = cluster.secrets if ref.kind == "Secret" else cluster.config_maps
    try:
        found = await read(namespace, [ref.name], fresh=fresh)
    except ClusterError as error:
        raise AccessError(f"{ref.kind} {ref.name} could not be read: {error}") from error
    if ref.name not in found:
        raise AccessError(
            f"{ref.kind} {ref.name} does not exist; create it with the key {ref.key}, or correct {ref.field}"
        )
    return _value(found[ref.name], ref)


def _value(obj: Manifest, ref: KeyRef) -> bytes:
    """A key's content; an empty one counts as none."""
    data = obj.get("data") or {}
    text = data.get(ref.key) if isinstance(data, dict) else None
    if not isinstance(text, str) or not text:
        raise AccessError(f"{ref.kind} {ref.name} has no key {ref.key}; add it, or correct {ref.field}.key")
    if ref.kind == "ConfigMap":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        # `from None`: the cause would carry the text.
        raise AccessError(f"{ref} is not base64; write it again") from None


def _token(value: bytes, ref: KeyRef) -> str:
    """A bearer token, without the line break that files end with."""
    token = value.decode("ascii", "replace").strip()
    if not _TOKEN.fullmatch(token):
        raise AccessError(f"{ref} holds no token: it must be one word of printable ASCII; write it again")
    return token


def _context(value: bytes, ref: KeyRef) -> ssl.SSLContext:
    try:
        return _trusting(value.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise AccessError(f"{ref} holds no certificates in PEM; write those of the authority there") from None


@functools.lru_cache(maxsize=64)
def _trusting(pem: str) -> ssl.SSLContext:
    """Trusts these and no other. Kept by content, since connections are reused only for the same context.

    Any certificate given may end the chain, as in Prometheus itself: a self-signed one, or an intermediate authority's.
    """
    context = ssl.create_default_context(cadata=pem)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Python 3.13 asks for extensions that the authorities of many clusters lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
