"""The queries. Pure.

A worker's series can be there more than once: scraped by two jobs, or by two Prometheus replicas behind one front. So
each worker's is reduced to one (`max`: copies differ by a scrape at most) before workers are summed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from phalanx_operator.observe.signals import HEARTBEAT, Fold, Signal
from phalanx_operator.observe.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The workers that a Prometheus has rates of, by the label that tells them apart; a worker is in one of both.

    With Kubernetes discovery a series carries `pod` (and mostly `namespace`); with a plain list of targets it carries
    `instance` only. `at` is the time of the newest sample, in seconds since 1970.
    """

    by_pod: tuple[Target, ...] = ()
    by_instance: tuple[Target, ...] = ()
    at: float | None = None

    @property
    def count(self) -> int:
        """How many workers."""
        return len(self.by_pod) + len(self.by_instance)


def sightings(targets: Sequence[Target], *, window_s: float) -> str:
    """The time of the newest sample of each worker that has a rate: two samples or more, the last within the window.

    One that has just started has none yet, and would read as zero load. Series of pods that are gone match nothing.
    """
    window = _window(window_s)
    parts = [
        f"(timestamp({HEARTBEAT}{{{matchers}}}) > time() - {window} and rate({HEARTBEAT}{{{matchers}}}[{window}s]))"
        for matchers in (_pods(targets), _instances(targets))
    ]
    return f"max by (namespace, pod, instance) ({' or '.join(parts)})"


def seen_of(times: Iterable[tuple[Mapping[str, str], float]], targets: Sequence[Target]) -> Seen:
    """Which of `targets` the answer to `sightings` tells of: labels, and the time of the newest sample."""
    named: dict[str, float] = {}
    addressed: dict[str, float] = {}
    for labels, at in times:
        known, name = (named, labels["pod"]) if labels.get("pod") else (addressed, labels.get("instance", ""))
        if math.isfinite(at):
            known[name] = max(at, known.get(name, at))
    by_pod = tuple(target for target in targets if target.pod in named)
    by_instance = tuple(each for each in targets if each.pod not in named and each.address in addressed)
    newest = [*(named[each.pod] for each in by_pod), *(addressed[each.address] for each in by_instance)]
    return Seen(by_pod=by_pod, by_instance=by_instance, at=max(newest, default=None))


def query(signal: Signal, seen: Seen, *, window_s: float) -> str:
    """The PromQL of one signal, summed over the workers that were seen; there has to be one."""
    groups = (("pod", _pods, seen.by_pod), ("instance", _instances, seen.by_instance))
    parts = [
        f"max by ({', '.join((who, *signal.own))}) ({_folded(signal, matchers(targets), window_s)})"
        for who, matchers, targets in groups
        if targets
    ]
    by = f" by ({', '.join(signal.labels)})" if signal.labels else ""
    return f"sum{by} ({' or '.join(parts)})"


def _folded(signal: Signal, matchers: str, window_s: float) -> str:
    series = f"{signal.series}{{{matchers}}}"
    return series if signal.fold is Fold.LAST else f"{signal.fold}({series}[{_window(window_s)}s])"


def _window(window_s: float) -> int:
    return max(round(window_s), 1)


def _pods(targets: Sequence[Target]) -> str:
    pods = "|".join(_quote(target.pod) for target in targets)
    namespaces = "|".join(sorted({_quote(target.namespace) for target in targets}))
    return f'pod=~"{pods}",namespace=~"{namespaces}|"'


def _instances(targets: Sequence[Target]) -> str:
    return f'pod="",instance=~"{"|".join(_quote(target.address) for target in targets)}"'


def _quote(text: str) -> str:
    """A literal inside of a regular expression inside of a PromQL string."""
    escaped = "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)
    return escaped.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
