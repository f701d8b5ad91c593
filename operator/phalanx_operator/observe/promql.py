"""The queries. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx_operator.observe.signals import HEARTBEAT, Fold, Signal
from phalanx_operator.observe.targets import Target


def selectors(targets: Sequence[Target]) -> tuple[str, str]:
    """Label matchers that find exactly the series of these workers.

    With Kubernetes discovery a series carries `pod` (and mostly `namespace`); with a plain list of targets it carries
    `instance` only. Series of pods that are gone match neither, so they never count.
    """
    pods = "|".join(_quote(target.pod) for target in targets)
    namespaces = "|".join(sorted({_quote(target.namespace) for target in targets}))
    instances = "|".join(_quote(f"{target.host}:{target.port}") for target in targets)
    return f'pod=~"{pods}",namespace=~"{namespaces}|"', f'pod="",instance=~"{instances}"'


def query(signal: Signal, targets: Sequence[Target], *, window_s: float) -> str:
    """The PromQL of one signal, summed over the workers."""
    parts = [f"{signal.series}{{{matchers}}}" for matchers in selectors(targets)]
    if signal.fold is not Fold.LAST:
        parts = [f"{signal.fold}({part}[{max(round(window_s), 1)}s])" for part in parts]
    by = f" by ({', '.join(signal.labels)})" if signal.labels else ""
    return f"sum{by} ({' or '.join(parts)})"


def newest(targets: Sequence[Target]) -> str:
    """When the newest sample was taken, in seconds since 1970."""
    return f"max({_timestamps(targets)})"


def seen(targets: Sequence[Target], *, window_s: float) -> str:
    """How many workers have a sample within the window."""
    return f"count({_timestamps(targets)} > time() - {window_s:g})"


def _timestamps(targets: Sequence[Target]) -> str:
    return " or ".join(f"timestamp({HEARTBEAT}{{{matchers}}})" for matchers in selectors(targets))


def _quote(text: str) -> str:
    """A literal inside of a regular expression inside of a PromQL string."""
    escaped = "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)
    return escaped.replace("\\", "\\\\").replace('"', '\\"')
