"""What the data were."""

from __future__ import annotations

from phalanx_distill.report.blocks import Block, Cell, Row, Section, Table, facts
from phalanx_distill.report.document import Report
from phalanx_distill.report.words import count, percent, shortened


def data_section(report: Report) -> Section:
    """Rows as they were read, what was left out, how they were parted, and where transfer text comes from."""
    data = report.data
    kept = data.train + data.validation + data.test
    table = facts(
        "Labelled rows",
        [
            ("data set", shortened(data.name, 200)),
            ("rows read", count(data.read)),
            ("repeats, left out", count(data.repeats)),
            ("texts with two labels, left out", count(data.contradictions)),
            ("training rows", f"{count(data.train)} ({percent(data.train / max(kept, 1))})"),
            ("validation rows", f"{count(data.validation)} ({percent(data.validation / max(kept, 1))})"),
            ("held-out rows", f"{count(data.test)} ({percent(data.test / max(kept, 1))})"),
            ("labels", count(len(report.labels))),
            *_cut(report),
        ],
    )
    blocks: list[Block] = [table]
    if report.notes.transfer_sources:
        blocks.append(_sources(report.notes.transfer_sources))
    elif data.transfer:
        blocks.append(facts("Transfer text", [("texts", count(data.transfer))]))
    return Section("data", "Data", tuple(blocks))


def _cut(report: Report) -> list[tuple[str, str]]:
    cut = report.notes.cut
    if cut is None:
        return []
    share = f"{count(cut.cut)} ({percent(cut.cut / max(cut.rows, 1))})"
    return [
        (f"rows cut at {cut.limit_tokens} tokens", share),
        ("tokens of a text that are served", count(cut.served_tokens)),
    ]


def _sources(sources: dict[str, int]) -> Table:
    whole = max(sum(sources.values()), 1)
    return Table(
        "Transfer text by source",
        ("source", "texts"),
        tuple(Row((Cell(name), Cell(count(texts), bar=texts / whole))) for name, texts in sources.items()),
        note="The teacher speaks about all of it, and students learn what it says. Nothing that was added to the "
        "training rows equals a held-out text in its letters and digits. Labelled rows that differ in case or white "
        "space alone stand in one part; such that differ in punctuation may stand in two.",
    )
