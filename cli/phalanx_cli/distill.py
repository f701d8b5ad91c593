"""`phalanx distill`: thin; the work is in phalanx_distill."""

from __future__ import annotations

from pathlib import Path

import click

from phalanx_cli.training import (
    data_options,
    leave_cleanly,
    merged,
    prepare_threads,
    run_options,
)


def shape(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """A number from 1 on, or `auto`."""
    if value is None or value == "auto":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on nor auto", ctx, param)
    return int(value)


@click.command(context_settings={"show_default": True})
@click.option("--teacher", required=True, metavar="NAME|DIR", help="minilm, mpnet, or a checkpoint's folder.")
@data_options
@click.option(
    "--students", callback=shape, metavar="K|auto", help="Students K, or as few as the budget allows.  [default: 4]"
)
@click.option(
    "--rows",
    callback=shape,
    metavar="L|auto",
    help="Encoder rows L of each student.  [default: 2; auto with --students auto]",
)
@click.option(
    "--accuracy-budget",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With auto: how much less accurate than the teacher, on validation rows.  [default: 0.005]",
)
@click.option("--target", type=click.Choice(["residual", "teacher"]), help="What students learn.  [default: teacher]")
@click.option(
    "--unlabelled",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="More texts for the teacher to speak about, one a line; may be given many times.",
)
@click.option(
    "--text",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Packaged texts to speak about: a set's name, sets, dialogue, or all; may be given many times.",
)
@click.option(
    "--teachers",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep fine-tuned teachers and their answers here, for runs that differ in students alone.",
)
@click.option(
    "--kept-students",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep trained students here, for runs that differ in their number, weights or joint training alone.",
)
@click.option(
    "--report",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report's page here too; it always stands in the artifact's report/index.html.",
)
@click.option(
    "--show-texts",
    is_flag=True,
    help="Show in --report's FILE some held-out texts on which teacher and ensemble differ. Texts may be private.",
)
@run_options
def command(
    teacher: str,
    data: str,
    text_column: str,
    label_column: str,
    students: int | str | None,
    rows: int | str | None,
    accuracy_budget: float | None,
    target: str | None,
    unlabelled: tuple[Path, ...],
    sources: tuple[str, ...],
    teachers: Path | None,
    kept_students: Path | None,
    page: Path | None,
    show_texts: bool,
    out: Path,
    seed: int | None,
    device: str,
    precision: str,
    settings_file: Path | None,
    settings: tuple[str, ...],
    force: bool,
    keep_work: bool,
) -> None:
    """Distil a teacher into an ensemble of shallow students.

    The teacher is fine-tuned on labelled rows, then students learn its logits on these rows and on texts near them,
    or what earlier students leave over of its logits. An interrupted run goes on where it stopped when the same
    command is given again.
    """
    if show_texts and page is None:
        raise click.UsageError("--show-texts: name a page by --report FILE; texts are never put beside the artifact")
    prepare_threads()
    with leave_cleanly() as console:
        from phalanx_distill.compute import Compute
        from phalanx_distill.config import DistillSettings, parse_settings
        from phalanx_distill.data import read_texts
        from phalanx_distill.pipeline import distill
        from phalanx_distill.progress import reporter
        from phalanx_distill.report.table import summary
        from phalanx_distill.report.texts import differing_texts
        from phalanx_distill.report.write import check_page, write_page
        from phalanx_distill.sources import Sources, find_checkpoint, find_rows

        check_page(page)
        options = {
            "seed": seed,
            "students.count": students,
            "students.rows": rows or ("auto" if students == "auto" else None),
            "students.auto.accuracy_budget": accuracy_budget,
            "students.target": target,
            "transfer.sources": list(sources) or None,
        }
        parsed = parse_settings(DistillSettings, merged(settings, options, settings_file))
        if accuracy_budget is not None and not parsed.students.searched:
            raise click.UsageError("--accuracy-budget decides between shapes: add --students auto or --rows auto")
        material = Sources(
            teacher=find_checkpoint(teacher),
            rows=find_rows(data, text_column=text_column, label_column=label_column),
            unlabelled=tuple(text for path in unlabelled for text in read_texts(path)),
        )
        report = distill(
            material,
            parsed,
            out=out,
            compute=Compute.of(device, precision),
            report=reporter(console),
            force=force,
            keep_work=keep_work,
            teachers=teachers,
            students=kept_students,
        )
        console.print(summary(report))
        if page is not None:
            write_page(page, report, differing_texts(report, material.rows, parsed.split) if show_texts else {})
            console.print(f"report: {page}", soft_wrap=True, highlight=False, markup=False)
        console.print(f"{out}  {report.digest}", soft_wrap=True, highlight=False, markup=False)
