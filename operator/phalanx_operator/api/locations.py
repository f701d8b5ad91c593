"""Where artifacts may lie: what a URI must be, and what a pool's `spec.artifacts.allow` lets through.

A prefix is compared by scheme, host and whole segments of the path, never as text: `s3://models` allows
`s3://models/x` and not `s3://models-of-others/x`. Whoever reads a URI later may decode or normalise it, so no way of
writing `..` passes, however often it is encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_BUCKETS: Final = ("s3", "gs", "http", "https")
_MARKS: Final = ("?", "#", "\\", "::")
"""What readers of URIs take in different ways."""
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a store: `host` is the bucket, claim or `host:port`; empty in a prefix that allows every host."""

    scheme: str
    host: str
    segments: tuple[str, ...]

    def holds(self, other: Location) -> bool:
        """Whether `other` is this place or lies below it."""
        here = len(self.segments)
        return self.scheme == other.scheme and self.host in ("", other.host) and other.segments[:here] == self.segments


def uri_fault(uri: str) -> str:
    """What is wrong with an artifact's URI, empty if nothing."""
    if fault := _form_fault(uri):
        return fault
    parts = urlsplit(uri)
    if parts.scheme == "pvc" and not parts.netloc:
        return "lacks the claim; write pvc://CLAIM/PATH"
    if parts.scheme in _BUCKETS and not parts.netloc:
        return f"lacks the {'host' if parts.scheme.startswith('http') else 'bucket'} after {parts.scheme}://"
    return ""


def prefix_fault(prefix: str) -> str:
    """What is wrong with an entry of `spec.artifacts.allow`, empty if nothing; `https://` allows every host."""
    if fault := _form_fault(prefix):
        return fault
    parts = urlsplit(prefix)
    if not parts.netloc and parts.scheme != "file" and parts.path:
        return f"has a path and no host before it; write {parts.scheme}://HOST{parts.path}"
    return ""


def is_allowed(uri: str, prefixes: Iterable[str]) -> bool:
    """Whether a URI lies below one of the prefixes. What cannot be told apart for sure is not."""
    if uri_fault(uri):
        return False
    place = _location(uri)
    return any(not prefix_fault(prefix) and _location(prefix).holds(place) for prefix in prefixes)


def claim_of(uri: str) -> str | None:
    """The PersistentVolumeClaim that a `pvc://` URI reads from."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme == "pvc" else None


def _form_fault(uri: str) -> str:
    """Faults of URIs and of prefixes alike."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        return f"{uri!r} is not a URI ({error})"
    if any(mark in uri for mark in _MARKS):
        # Files' names are put behind it, so a query would mean something else; and it is where signed URLs keep theirs.
        return f"must hold none of {' '.join(_MARKS)}; write the bare folder, and no signed URL"
    if parts.netloc and not parts.hostname:
        return f"lacks the host after {parts.scheme}://"
    if parts.username or parts.password:
        return "holds credentials, which everyone who may read the plan would see; use the pod's own identity instead"
    if _climbs(parts.path):
        return "must not contain '..', encoded or not; write the path without it"
    if parts.scheme == "file" and (parts.netloc or not (parts.path or "/").startswith("/")):
        return f"must have three slashes and an absolute path: file:///{parts.netloc}{parts.path}"
    return ""


def _climbs(path: str) -> bool:
    """Whether a path may lead upwards once somebody decodes it, in however many steps."""
    while (decoded := unquote(path)) != path:
        path = decoded
    return ".." in path.replace("\\", "/").split("/")


def _location(uri: str) -> Location:
    parts = urlsplit(uri)
    segments = parts.path.removeprefix("/").removesuffix("/")
    return Location(parts.scheme, _host(parts), tuple(segments.split("/")) if segments else ())


def _host(parts: SplitResult) -> str:
    """Buckets and claims as they are written; of HTTP servers the name in lower case and the port, given or not."""
    if parts.scheme not in _PORTS or not parts.netloc:
        return parts.netloc
    return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
