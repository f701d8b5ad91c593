"""What a kubeconfig says: where the API server is, and who we are."""

from __future__ import annotations

import base64
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Either a token, or a client certificate with its key (PEM)."""

    server: str
    ca: bytes
    token: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def load_certificate(self, context: ssl.SSLContext) -> None:
        """Present the client certificate; the ssl module reads it from a file only."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.certificate + b"\n" + self.key)
            file.flush()
            context.load_cert_chain(file.name)


def read_kubeconfig(path: Path) -> Access:
    """The current context of a kubeconfig."""
    document = yaml.safe_load(path.read_text())
    context = _named(document["contexts"], document["current-context"])["context"]
    cluster = _named(document["clusters"], context["cluster"])["cluster"]
    user = _named(document["users"], context["user"])["user"]
    return Access(
        server=cluster["server"],
        ca=_content(cluster, "certificate-authority"),
        token=user.get("token", ""),
        certificate=_content(user, "client-certificate"),
        key=_content(user, "client-key"),
    )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _content(entry: dict[str, Any], key: str) -> bytes:
    """Inline as `KEY-data`, or in the file that `KEY` names."""
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"])
    return Path(entry[key]).read_bytes() if key in entry else b""
