"""What a variant leaves: enough to compare it with others on the same rows. The students themselves are not kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from phalanx_distill.intervals import Pairs


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One finished variant; `right` has a 1 for every held-out row that all students answer rightly, else a 0.

    `commit` is that of the process which trained it. `plan` stands for the default's settings at that time, the rows,
    the encoder and the algorithm: variants around another default, or on other rows, are not compared.
    """

    fingerprint: str
    commit: str
    date: str
    right: str
    against_teacher: Pairs
    residual: float
    plan: str


def path_of(runs: Path, subject: str, variant: str) -> Path:
    """Where it lies."""
    return runs / subject / f"{variant}.json"


def write_kept(path: Path, kept: Kept) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(kept))
    part.replace(path)


def read_kept(path: Path) -> Kept | None:
    """What a variant left; None if there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return None


def compared(first: Kept, second: Kept) -> Pairs:
    """Rows by which of two variants answers them rightly.

    Raises:
        ValueError: they were measured on other rows.
    """
    pairs = list(zip(first.right, second.right, strict=True))
    return Pairs(
        both=pairs.count(("1", "1")),
        only_first=pairs.count(("1", "0")),
        only_second=pairs.count(("0", "1")),
        neither=pairs.count(("0", "0")),
    )
