"""Where an HTTP API may be asked: what its base URL must be."""

from __future__ import annotations

from urllib.parse import urlsplit


def base_url_fault(url: str) -> str:
    """What is wrong with the base URL of an HTTP API, empty if nothing."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.username or parts.password:
        return (
            "holds credentials, which everyone who may read the pool would see; put a token into a Secret and name it "
            "in spec.metrics.prometheus.authorization.credentials"
        )
    if not parts.hostname:
        return f"lacks the host after {parts.scheme}://"
    if "?" in url or "#" in url:
        return "must end before '?' and '#': paths of the API are appended to it"
    return ""
