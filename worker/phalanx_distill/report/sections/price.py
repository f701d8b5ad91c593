"""What it costs: to serve, and to train."""

from __future__ import annotations

from phalanx_distill.cost import Cost, Price
from phalanx_distill.report.blocks import Block, Cell, Figure, Row, Section, Table, Tone, row
from phalanx_distill.report.charts.price import price_chart
from phalanx_distill.report.document import Report
from phalanx_distill.report.sections import NOT_RECORDED
from phalanx_distill.report.words import count, counted, millions, milliseconds, seconds, size


def price_section(report: Report) -> Section:
    """Milliseconds, parameters and bytes by number of students; seconds by stage; texts and tokens."""
    blocks: list[Block] = []
    cost = report.notes.cost
    if cost is not None:
        blocks += [_figure(cost, report), _prices(cost)]
    elif report.kind == "ensemble":
        blocks.append(NOT_RECORDED)
    blocks.append(_stages(report))
    if report.notes.corpora:
        blocks.append(_corpora(report))
    return Section("cost", "Cost", tuple(blocks))


def _figure(cost: Cost, report: Report) -> Figure:
    said = ", ".join(f"{_name(price)} {milliseconds(price.ms)}" for price in cost.prices)
    caption = (
        f"A single text of {counted(cost.tokens, 'token')} (the held-out texts' median) as a batch of its own, fp32,"
        f" executor {cost.executor}, {counted(cost.threads, 'thread')}: medians of {counted(cost.rounds, 'round')} in"
        " which all took turns; bars span the 10th to the 90th percentile, and the accuracy's 95 % interval."
        f" Measured on {cost.machine}."
    )
    return Figure(price_chart(cost, report.measured.accuracy), f"Time of a single text: {said}.", caption)


def _prices(cost: Cost) -> Table:
    teacher = next((price for price in cost.prices if price.students == 0), None)
    head = ["", "single text", "10th to 90th percentile", "parameters", "bytes, fp32"]
    if teacher is not None:
        head.insert(3, "teacher's time")
    rows = []
    for price in cost.prices:
        cells = [_name(price), milliseconds(price.ms), f"{milliseconds(price.ms_low)} to {milliseconds(price.ms_high)}"]
        if teacher is not None:
            cells.append(f"{price.ms / teacher.ms:.2f} x")
        cells += [millions(price.parameters), size(price.bytes)]
        rows.append(row(*cells, tone=Tone.PLAIN if price.students else Tone.STRONG))
    note = "Parameters include the embeddings, which all students share. For times under load, run phalanx bench load."
    return Table("Time and size", tuple(head), tuple(rows), note=note)


def _stages(report: Report) -> Table:
    whole = sum(report.seconds.values())
    rows = [
        Row((Cell(name), Cell(seconds(took), bar=took / whole if whole else None)))
        for name, took in report.seconds.items()
    ]
    rows.append(row("all", seconds(whole), tone=Tone.STRONG))
    return Table(
        "Time by stage",
        ("stage", "time"),
        tuple(rows),
        note="Of the last process: what an interrupted run had done before is not in it.",
    )


def _corpora(report: Report) -> Table:
    return Table(
        "Texts and tokens",
        ("part", "texts", "tokens", "tokens a text"),
        tuple(
            row(entry.name, count(entry.texts), count(entry.tokens), f"{entry.tokens / max(entry.texts, 1):.1f}")
            for entry in report.notes.corpora
        ),
    )


def _name(price: Price) -> str:
    return counted(price.students, "student") if price.students else "teacher"
