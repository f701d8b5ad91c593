"""Where teacher and ensemble differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from phalanx_distill.detail import ClassReading, Confusion, Detail
from phalanx_distill.report.blocks import Block, Cell, Prose, Row, Section, Table, Tone, row
from phalanx_distill.report.document import Report
from phalanx_distill.report.sections import NOT_RECORDED
from phalanx_distill.report.words import count, percent, shortened

_MOST_CLASSES: Final = 25
_MOST_PAIRS: Final = 10
_MOST_CHARACTERS: Final = 400


def classes_section(report: Report, texts: Mapping[int, str]) -> Section:
    """By class, by pair of labels, and, where their texts are given by row, the rows themselves."""
    detail, title = report.notes.detail, "Where teacher and ensemble differ"
    if detail is None:
        return Section("classes", title, (NOT_RECORDED,))
    taught = report.measured.accuracy.teacher is not None
    blocks: list[Block] = [_by_class(detail.classes, report.labels, taught=taught)]
    if detail.confusions:
        blocks.append(_pairs(detail.confusions, report.labels))
    elif taught:
        blocks.append(Prose("With all students the ensemble gives the teacher's answer to every held-out row."))
    if texts:
        blocks.append(_texts(detail, report.labels, texts))
    return Section("classes", title if taught else "Accuracy by class", tuple(blocks))


def _by_class(classes: Sequence[ClassReading], labels: Sequence[str], *, taught: bool) -> Table:
    ordered = sorted(classes, key=lambda entry: (entry.agreeing if taught else entry.right[-1]) / entry.rows)
    head = ("class", "rows", *(("teacher",) if taught else ()), "one student", "all students")
    left_out = len(ordered) - _MOST_CLASSES
    return Table(
        "Share of right answers by class",
        (*head, "same as teacher") if taught else head,
        tuple(_class_row(entry, labels, taught=taught) for entry in ordered[:_MOST_CLASSES]),
        note=f"The least {'agreed on' if taught else 'often right'} come first."
        + (f" {left_out} classes are left out." if left_out > 0 else ""),
    )


def _class_row(entry: ClassReading, labels: Sequence[str], *, taught: bool) -> Row:
    def share(rows: int, tone: Tone = Tone.PLAIN) -> Cell:
        return Cell(percent(rows / entry.rows), bar=rows / entry.rows, tone=tone)

    cells = [Cell(name(labels, entry.label)), Cell(count(entry.rows))]
    if taught:
        cells.append(share(entry.teacher))
    cells += [share(entry.right[0]), share(entry.right[-1])]
    if taught:
        cells.append(share(entry.agreeing))
    return Row(tuple(cells))


def _pairs(confusions: Sequence[Confusion], labels: Sequence[str]) -> Table:
    return Table(
        "The label pairs on which they differ most",
        ("teacher says", "ensemble says", "rows", "teacher right", "ensemble right", "neither"),
        tuple(
            row(
                name(labels, pair.teacher),
                name(labels, pair.ensemble),
                count(pair.rows),
                count(pair.teacher_right),
                count(pair.ensemble_right),
                count(pair.rows - pair.teacher_right - pair.ensemble_right),
            )
            for pair in confusions[:_MOST_PAIRS]
        ),
        words=frozenset({0, 1}),
        note=_pairs_note(confusions),
    )


def _pairs_note(confusions: Sequence[Confusion]) -> str:
    rows = sum(pair.rows for pair in confusions)
    teacher = sum(pair.teacher_right for pair in confusions)
    ensemble = sum(pair.ensemble_right for pair in confusions)
    return (
        f"Of all {count(rows)} rows on which they differ the teacher is right on {count(teacher)},"
        f" the ensemble on {count(ensemble)}, neither on {count(rows - teacher - ensemble)}."
    )


def _texts(detail: Detail, labels: Sequence[str], texts: Mapping[int, str]) -> Table:
    chosen = [entry for entry in detail.differing if entry.row in texts]
    return Table(
        "Held-out texts on which they differ, those first of which the ensemble is surest",
        ("text", "label", "teacher says", "ensemble says", "confidence"),
        tuple(
            row(
                shortened(texts[entry.row], _MOST_CHARACTERS),
                name(labels, entry.expected),
                name(labels, entry.teacher),
                name(labels, entry.ensemble),
                percent(entry.confidence),
            )
            for entry in chosen
        ),
        words=frozenset({0, 1, 2, 3}),
        note="Shown because it was asked for; texts are never stored in the artifact.",
    )


def name(labels: Sequence[str], index: int) -> str:
    """A label as it is shown."""
    return shortened(labels[index]) if index < len(labels) else f"class {index}"
