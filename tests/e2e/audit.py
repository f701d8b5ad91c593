"""What the operator asked of the API server, as the server itself tells in its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

_READS: Final = ("get", "list", "watch")
_CREATED: Final = 201
FORBIDDEN: Final = 403
_DECISION: Final = "authorization.k8s.io/decision"


def write_policy(file: Path, *, namespace: str) -> None:
    """A policy that records every request of a namespace's service accounts, without bodies, and nobody else's."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": [f"system:serviceaccounts:{namespace}"]}, {"level": "None"}],
    }
    file.write_text(yaml.safe_dump(policy))


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One verb on one resource, as a role grants it; `resource` may end in `/subresource`."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


WITHOUT_REQUEST: Final = {Right("phalanx.dev", "servingpools/finalizers", "update")}
"""Asked for by admission (OwnerReferencesPermissionEnforcement) when a child is made, not by a request of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; `right` is None for paths that are no resources, such as discovery.

    `authorized` is what the authorizer said. Admission may still refuse it: nobody may create anything in a namespace
    that is being deleted.
    """

    user: str
    at: datetime
    right: Right | None
    namespace: str
    uri: str
    code: int
    authorized: bool

    @property
    def refused(self) -> bool:
        """Whether a right was missing."""
        return self.code == FORBIDDEN and not self.authorized

    @property
    def writes(self) -> bool:
        """Whether it changes anything but the lease, or would if it were let."""
        return self.right is not None and self.right.resource != "leases" and self.right.verb not in _READS

    @property
    def used(self) -> list[Right]:
        """The rights that it took: server-side apply of a new object asks for `create` besides `patch`."""
        if self.right is None or self.code >= 400:
            return []
        if self.right.verb == "patch" and self.code == _CREATED:
            return [self.right, Right(self.right.group, self.right.resource, "create")]
        return [self.right]


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of an API server until it said that it is ready."""

    begun: datetime
    ready: datetime

    def spans(self, request: Request) -> bool:
        """Whether the request came meanwhile."""
        return self.begun <= request.at < self.ready


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The file that the API server writes before it answers, and when servers started that write it."""

    file: Path
    starts: Sequence[Start] = ()

    def end(self) -> int:
        """Where it ends now, for `since`."""
        return self.file.stat().st_size if self.file.exists() else 0

    def requests(self, *, since: int = 0) -> list[Request]:
        """Everything that was asked since a position that `end` gave."""
        with self.file.open("rb") as log:
            log.seek(since)
            return [_request(json.loads(line)) for line in log]

    def refused(self, *, since: int = 0) -> list[Request]:
        """What a right was missing for. A server that starts forbids everything until it has read the roles: what it
        says before it is ready tells nothing of them."""
        requests = [request for request in self.requests(since=since) if request.refused]
        return [request for request in requests if not any(start.spans(request) for start in self.starts)]


def rights_of(rules: Iterable[Mapping[str, Sequence[str]]]) -> set[Right]:
    """Everything that the rules of a role grant."""
    return {
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _request(entry: Mapping[str, Any]) -> Request:
    about, answer = entry.get("objectRef"), entry.get("responseStatus", {})
    right = None
    if about is not None and "resource" in about:
        resource = "/".join(part for part in (about["resource"], about.get("subresource", "")) if part)
        right = Right(about.get("apiGroup", ""), resource, entry["verb"])
    return Request(
        user=entry["user"]["username"],
        at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        right=right,
        namespace=(about or {}).get("namespace", ""),
        uri=entry["requestURI"],
        code=answer.get("code", 0),
        authorized=entry.get("annotations", {}).get(_DECISION) == "allow",
    )
