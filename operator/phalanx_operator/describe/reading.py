"""What a status says of one resource. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.api.units import seconds_of
from phalanx_operator.describe.nextsteps import CONDITIONS

SHORT: Final = {"ServingPool": "pool", "StudentEnsemble": "ens", "TenantAdapter": "ta"}
"""The kinds as people type them."""
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The three kinds as they were read, and when (s since 1970)."""

    pools: Sequence[Manifest]
    ensembles: Sequence[Manifest]
    adapters: Sequence[Manifest]
    now: float

    def pool_of(self, ensemble: Manifest) -> Manifest | None:
        """The pool that an ensemble names."""
        wanted = Key(key_of(ensemble).namespace, ensemble["spec"].get("pool", ""))
        return next((pool for pool in self.pools if key_of(pool) == wanted), None)

    def ensembles_of(self, pool: Manifest) -> list[Manifest]:
        """The ensembles that name a pool."""
        return [ensemble for ensemble in self.ensembles if self.pool_of(ensemble) is pool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `since` is ISO 8601."""

    type: str
    status: str
    reason: str
    message: str
    since: str

    @property
    def holds(self) -> bool:
        """Whether it is True."""
        return self.status == ConditionStatus.TRUE

    @property
    def step(self) -> str:
        """What to do about it where it does not hold; empty if its message says so itself."""
        return "" if self.holds else CONDITIONS.get(self.reason, "")


def key_of(obj: Manifest) -> Key:
    """Namespace and name."""
    return Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def title_of(obj: Manifest) -> str:
    """`ens/sentiment`."""
    return f"{SHORT[obj['kind']]}/{obj['metadata']['name']}"


def status_of(obj: Manifest) -> Manifest:
    """The status; empty before the operator's first look."""
    return obj.get("status") or {}


def conditions_of(obj: Manifest) -> list[Condition]:
    """All conditions, `Ready` first as the operator writes it."""
    return [
        Condition(each["type"], each["status"], each["reason"], each["message"], each["lastTransitionTime"])
        for each in status_of(obj).get("conditions") or ()
    ]


def condition_of(obj: Manifest, kind: ConditionType) -> Condition:
    """One condition; `Unknown` where there is none yet."""
    found = (each for each in conditions_of(obj) if each.type == kind)
    none = Condition(kind, ConditionStatus.UNKNOWN, Reason.UNKNOWN, "the operator has not looked at it yet", "")
    return next(found, none)


def outdated(obj: Manifest) -> bool:
    """Whether the status is about an older spec."""
    return bool(status_of(obj)) and status_of(obj).get("observedGeneration") != obj["metadata"].get("generation")


def failing(obj: Manifest) -> list[Condition]:
    """The conditions that do not hold, without the summary of them."""
    return [each for each in conditions_of(obj) if not each.holds and each.type != ConditionType.READY]


def ago(time: str, now: float) -> str:
    """How long ago, as kubectl writes ages: `45s`, `3m`, `5h`, `2d`; a question mark where it is not known."""
    at = seconds_of(time)
    if at is None:
        return "?"
    passed = max(0, round(now - at))
    unit, length = next((each for each in _UNITS if passed >= 2 * each[1]), _UNITS[-1])
    return f"{passed // length}{unit}"
