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


@click.command(context_settings={"show_default": True})
@click.option("--teacher", required=True, metavar="NAME|DIR", help="minilm, mpnet, or a checkpoint's folder.")
@data_options
@click.option("--students", type=click.IntRange(1), help="Students K.  [default: 4]")
@click.option("--rows", type=click.IntRange(1), help="Encoder rows L of each student.  [default: 2]")
@click.option(
    "--unlabelled",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="More texts for the teacher to speak about, one a line; may be given many times.",
)
@run_options
def command(
    teacher: str,
    data: str,
    text_column: str,
    label_column: str,
    students: int | None,
    rows: int | None,
    unlabelled: tuple[Path, ...],
    out: Path,
    seed: int | None,
    device: str,
    settings: tuple[str, ...],
    force: bool,
    keep_work: bool,
) -> None:
    """Distil a teacher into an ensemble of shallow students.

    The teacher is fine-tuned on labelled rows, then students are boosted on what the earlier ones leave over of its
    logits. An interrupted run goes on where it stopped when the same command is given again.
    """
    prepare_threads()
    with leave_cleanly() as console:
        from phalanx_distill.compute import Compute
        from phalanx_distill.config import DistillSettings, parse_settings
        from phalanx_distill.data import read_texts
        from phalanx_distill.pipeline import distill
        from phalanx_distill.progress import reporter
        from phalanx_distill.report.table import summary
        from phalanx_distill.sources import Sources, find_checkpoint, find_rows

        chosen = merged(settings, {"seed": seed, "students.count": students, "students.rows": rows})
        parsed = parse_settings(DistillSettings, chosen)
        sources = Sources(
            teacher=find_checkpoint(teacher),
            rows=find_rows(data, text_column=text_column, label_column=label_column),
            unlabelled=tuple(text for path in unlabelled for text in read_texts(path)),
        )
        report = distill(
            sources,
            parsed,
            out=out,
            compute=Compute.of(device),
            report=reporter(console),
            force=force,
            keep_work=keep_work,
        )
        console.print(summary(report))
        console.print(f"{out}  {report.digest}", soft_wrap=True, highlight=False)
