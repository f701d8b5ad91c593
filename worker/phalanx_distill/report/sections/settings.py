"""Settings and provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from phalanx_distill.config import AdaptSettings, DistillSettings
from phalanx_distill.report.blocks import Block, Folded, Prose, Section, Table, Tone, facts, row
from phalanx_distill.report.document import Report
from phalanx_distill.report.words import shortened

_MOST_CHARACTERS = 200


def settings_section(report: Report) -> Section:
    """What was set otherwise than by default, then all of it."""
    known = AdaptSettings() if report.kind == "adapter" else DistillSettings()
    defaults = dict(flat(msgspec.to_builtins(known)))
    own = dict(flat(report.settings))
    changed = {name: value for name, value in own.items() if name in defaults and defaults[name] != value}
    blocks: list[Block] = [_table("Settings that are not the default", changed, defaults)] if changed else []
    if not changed:
        blocks.append(Prose("Every setting has its default."))
    every = _table("All settings", own, defaults, changed=frozenset(changed))
    blocks.append(Folded(f"All {len(own)} settings", (every,)))
    return Section("settings", "Settings", tuple(blocks))


def provenance_section(report: Report) -> Section:
    """From what, by which releases, and the digests that identify the result."""
    source = [(f"{_of(report)} {name}", value) for name, value in report.source.items()]
    pairs = [
        ("artifact", report.digest),
        ("run's fingerprint", report.fingerprint),
        *source,
        ("rows, sha256", report.data.sha256),
        *((f"{name}, sha256", value) for name, value in report.files.items()),
        ("seed", str(report.settings.get("seed", "–"))),
        *report.versions.items(),
    ]
    table = facts(
        "What makes the run the same again", [(shortened(name), value) for name, value in pairs], tone=Tone.CODE
    )
    return Section("provenance", "Provenance", (table,))


def flat(nested: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Settings by path, such as `teacher.fit.epochs`, as text."""
    for name, value in nested.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}.")
        else:
            yield path, _text(value)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return shortened(str(value).lower() if isinstance(value, bool) else str(value), _MOST_CHARACTERS)


def _table(
    caption: str, chosen: Mapping[str, str], defaults: Mapping[str, str], changed: frozenset[str] = frozenset()
) -> Table:
    return Table(
        caption,
        ("setting", "value", "default"),
        tuple(
            row(name, value, defaults.get(name, "–"), tone=Tone.STRONG if name in changed else Tone.PLAIN)
            for name, value in chosen.items()
        ),
    )


def _of(report: Report) -> str:
    return "base" if report.kind == "adapter" else "teacher"
