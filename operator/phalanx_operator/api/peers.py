"""What a schema cannot say about the peers of a NetworkPolicy: labels, networks, and what goes together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from phalanx_operator.api.issues import SpecIssue

_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_KEY: Final = re.compile(rf"({_DOMAIN}/)?{_NAME}")
_VALUE: Final = re.compile(rf"({_NAME})?")
_AT: Final = "spec.networkPolicy"


def peer_issues(policy: object) -> Iterator[SpecIssue]:
    """Faults of `spec.networkPolicy`, as far as its form allows to look."""
    yield from _peers(f"{_AT}.from", _get(policy, "from"))
    for index, rule in enumerate(_list(_get(policy, "egress"))):
        yield from _peers(f"{_AT}.egress[{index}].to", _get(rule, "to"))


def _peers(field: str, peers: object) -> Iterator[SpecIssue]:
    for index, peer in enumerate(_list(peers)):
        at = f"{field}[{index}]"
        selectors = [name for name in ("podSelector", "namespaceSelector") if _get(peer, name) is not None]
        block = _get(peer, "ipBlock")
        if not selectors and block is None:
            yield SpecIssue(at, "names nobody; write a podSelector, a namespaceSelector or an ipBlock")
        elif selectors and block is not None:
            yield SpecIssue(f"{at}.ipBlock", f"cannot go with {selectors[0]}; make it an entry of its own")
        for name in selectors:
            yield from _labels(f"{at}.{name}.matchLabels", _get(_get(peer, name), "matchLabels"))
        yield from _block(f"{at}.ipBlock", block)


def _labels(field: str, labels: object) -> Iterator[SpecIssue]:
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        if not _KEY.fullmatch(key):
            yield SpecIssue(f"{field}.{key}", "is not the key of a label; write it as `kubectl get --show-labels` does")
        elif isinstance(value, str) and not _VALUE.fullmatch(value):
            yield SpecIssue(f"{field}.{key}", f"{value!r} is not a label's value; use letters, digits, '-', '_', '.'")


def _block(field: str, block: object) -> Iterator[SpecIssue]:
    cidr = _get(block, "cidr")
    if not isinstance(cidr, str):
        return
    network = _network(cidr)
    if network is None:
        yield SpecIssue(f"{field}.cidr", f"{cidr!r} is not a network; write it such as 10.0.0.0/8")
        return
    for index, text in enumerate(_list(_get(block, "except"))):
        inner = _network(text) if isinstance(text, str) else None
        if inner is None or inner == network or not _within(inner, network):
            yield SpecIssue(f"{field}.except[{index}]", f"{text!r} is not a part of {cidr}; leave it out or correct it")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None where it is no network in its usual form: releases differ in what else they take."""
    try:
        return ipaddress.ip_network(text) if "/" in text else None
    except ValueError:
        return None


def _within(inner: Any, network: Any) -> bool:
    return bool(inner.version == network.version and inner.subnet_of(network))


def _get(node: object, name: str) -> object:
    return node.get(name) if isinstance(node, Mapping) else None


def _list(node: object) -> list[object]:
    return node if isinstance(node, list) else []
