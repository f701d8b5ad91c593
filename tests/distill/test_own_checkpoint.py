"""A teacher of the user's own, fine-tuned elsewhere: its head is found by its labels' names, and may teach as it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from phalanx_cli.main import main
from phalanx_distill.corpus import Corpus
from phalanx_distill.errors import SettingError
from phalanx_distill.head import check_head, head_mark, why_fresh
from phalanx_distill.noting import cut_said, note_cut, note_ignorance
from phalanx_distill.prepare import prepare
from phalanx_distill.report.document import CutFacts, Report, read_report
from phalanx_distill.report.page import render
from phalanx_distill.sources import Checkpoint, find_checkpoint
from phalanx_distill.taught import Taught
from phalanx_distill.teachers import untaught
from phalanx_grid import CheckpointHead, Tokenizer
from tests.distill import tiny
from tests.distill.reports import ensemble_report

OUTPUTS = ("colour", "animal", "city")
"""What the checkpoint calls its outputs: neither in alphabetical order nor the reverse of it."""
QUICK = ["--set", "students.fit.epochs=2", "--set", "ramps.fit.epochs=1", "--set", "transfer.neighbours=0"]
AS_IT_IS = ["--set", "teacher.fit.epochs=0"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`teacher`, a classifier that transformers trained and saved, and `rows.jsonl`."""
    transformers = pytest.importorskip("transformers", reason="the reference: pip install -e .[dev]")
    folder = tmp_path_factory.mktemp("own")
    tiny.write_checkpoint(folder / "plain")
    shape = json.loads((folder / "plain" / "config.json").read_text())
    names = dict(enumerate(OUTPUTS))
    config = transformers.BertConfig(**shape, id2label=names, label2id={name: at for at, name in names.items()})
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    _train(model, folder / "plain")
    model.save_pretrained(folder / "teacher")
    (folder / "teacher" / "tokenizer.json").write_bytes((folder / "plain" / "tokenizer.json").read_bytes())
    tiny.write_rows(folder / "rows.jsonl", tiny.rows())
    return folder


def _train(model: torch.nn.Module, tokenizer: Path) -> None:
    rows = prepare(tiny.sources(tokenizer.parent / "rows").rows, tiny.settings().split).parts.train
    corpus = Corpus.encode(Tokenizer.load(tokenizer, 32), [row.text for row in rows], max_tokens=32, pad_id=0)
    batch = corpus.batch(range(len(corpus)))
    labels = torch.tensor([OUTPUTS.index(row.label) for row in rows])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = model(batch.ids, attention_mask=batch.mask.long(), labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert float(loss.detach()) < 0.05, "the fixture's teacher has to know its classes"


def distil(here: Path, out: str, *more: object, teacher: str = "teacher") -> Result:
    source = ["--teacher", here / teacher, "--data", here / "rows.jsonl", "--device", "cpu", "--students", 2]
    return call("distill", *source, "--rows", 1, "--out", here / out, *QUICK, *more)


def report_in(folder: Path) -> Report:
    found = read_report(folder)
    assert found is not None
    return found


def teacher_right(folder: Path) -> float:
    taught = report_in(folder).measured.accuracy.teacher
    assert taught is not None
    return taught.accuracy


def renamed(here: Path, name: str, outputs: tuple[str, ...]) -> Path:
    """A copy of the teacher that calls its outputs otherwise."""
    folder = here / name
    folder.mkdir()
    for file in (here / "teacher").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = dict(enumerate(outputs))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_teacher_that_is_taken_as_it_is_answers_as_it_did_where_it_was_trained(here: Path) -> None:
    made = distil(here, "as-it-is", *AS_IT_IS, "--keep-work")
    assert made.exit_code == 0, made.output
    assert "the head of teacher is kept: it answers the rows' labels\n" in made.output
    assert "warning" not in made.output
    report = report_in(here / "as-it-is")
    assert teacher_right(here / "as-it-is") > 0.95
    assert report.labels == ("animal", "city", "colour")
    assert "teacher" not in report.curves
    assert "Learning curves" in render(report)
    assert "teacher on transfer" in made.output
    assert "is up to date" in distil(here, "as-it-is", *AS_IT_IS).output


def test_a_head_that_is_kept_is_trained_further_unless_told_otherwise(here: Path) -> None:
    made = distil(here, "further", "--set", "teacher.fit.epochs=1", "--set", "teacher.least_steps=0")
    assert made.exit_code == 0, made.output
    assert "is trained further; teacher.fit.epochs=0 takes the teacher as it is" in made.output
    assert teacher_right(here / "further") > 0.95
    assert len(report_in(here / "further").curves["teacher"]) == 1


def test_a_head_with_placeholder_names_is_left_out_and_both_sets_of_names_are_said(here: Path) -> None:
    renamed(here, "placeholders", ("LABEL_0", "LABEL_1", "LABEL_2"))
    one = ["--set", "teacher.fit.epochs=1", "--set", "teacher.least_steps=0", "--set", "teacher.fit.learning_rate=1e-6"]
    made = distil(here, "fresh", *one, teacher="placeholders")
    assert made.exit_code == 0, made.output
    said = (
        "the teacher gets a new head: the 3 outputs of placeholders's head are LABEL_0, LABEL_1, LABEL_2, the 3 labels "
        "of the rows animal, city, colour; to keep the head give both the same names, by id2label in config.json or in "
        "the rows"
    )
    assert f"warning: {said}\n" in made.output
    warnings = report_in(here / "fresh").notes.warnings
    assert warnings[0] == said
    # One step at such a rate teaches a new head nothing.
    assert "students can learn little from it" in warnings[1]
    assert warnings[1] in made.output
    page = render(report_in(here / "fresh"))
    assert "LABEL_0, LABEL_1, LABEL_2, the 3 labels of the rows" in page
    assert "students can learn little from it" in page


def test_a_config_that_names_the_outputs_afterwards_makes_another_run(here: Path) -> None:
    folder = renamed(here, "named-later", ("LABEL_0", "LABEL_1", "LABEL_2"))
    refused = distil(here, "later", *AS_IT_IS, teacher="named-later")
    assert refused.exit_code == 1
    assert not (here / "later").exists()
    before = head_mark(find_checkpoint(str(folder)), tuple(sorted(OUTPUTS)))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": dict(enumerate(OUTPUTS))}))
    assert (before, head_mark(find_checkpoint(str(folder)), tuple(sorted(OUTPUTS)))) == (
        {"head": None},
        {"head": (1, 2, 0)},
    )
    assert distil(here, "later", *AS_IT_IS, teacher="named-later").exit_code == 0
    assert teacher_right(here / "later") > 0.95


HEADS = {
    "plain": Checkpoint(name="plain", folder=Path(), sha256="0"),
    "other": Checkpoint(name="other", folder=Path(), sha256="0", head=CheckpointHead(2, ("ham", "spam"))),
    "unnamed": Checkpoint(name="unnamed", folder=Path(), sha256="0", head=CheckpointHead(2, ())),
}


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("plain", "take 1 or more: plain brings no head$"),
        ("other", "the 2 outputs of other's head are ham, spam, the 2 labels of the rows no, yes; to keep"),
        ("unnamed", "the 2 outputs of unnamed's head are not named by id2label, the 2 labels"),
    ],
)
def test_an_untrained_head_may_not_teach_as_it_is(head: str, says: str) -> None:
    untrained = tiny.settings(teacher={"fit": {"epochs": 0}}).teacher
    with pytest.raises(SettingError, match=says) as caught:
        check_head(untrained, HEADS[head], ("no", "yes"))
    assert caught.value.field == "teacher.fit.epochs"
    check_head(tiny.settings().teacher, HEADS[head], ("no", "yes"))


def test_teachers_that_are_not_trained_are_one() -> None:
    several = tiny.settings(teacher={"fit": {"epochs": 0}, "count": 2}).teacher
    with pytest.raises(SettingError, match=r"teacher\.count: 2, but without training \(epochs 0\) all are one; take 1"):
        check_head(several, HEADS["other"], ("spam", "ham"))


def test_a_plain_encoder_adds_nothing_to_a_fingerprint() -> None:
    assert head_mark(HEADS["plain"], ("no", "yes")) == {}


def test_many_names_are_told_by_their_first() -> None:
    labels = tuple(f"l{index}" for index in range(20))
    assert why_fresh(HEADS["other"], labels).count("l7 and 12 more") == 1


@pytest.mark.parametrize(("flipped", "warned"), [(0, False), (1, True)])
def test_a_teacher_is_warned_of_unless_it_beats_a_constant_answer(tmp_path: Path, flipped: int, warned: bool) -> None:
    run = tiny.tiny_run(tmp_path)
    labels, rows = run.prepared.parts.labels, run.prepared.parts.validation
    said = torch.tensor([labels.index(row.label) for row in rows])
    logits = torch.nn.functional.one_hot((said + flipped) % len(labels), len(labels)).float()
    corpus = Corpus(ids=((2, 3),) * len(rows), pad_id=0)
    note_ignorance(run, Taught(corpus, logits, torch.zeros(0, len(rows), 4), said))
    assert bool(run.notes.warnings) == warned


def test_a_teacher_that_always_gives_the_commonest_answer_is_warned_of(tmp_path: Path) -> None:
    run = tiny.tiny_run(tmp_path)
    labels, rows = run.prepared.parts.labels, run.prepared.parts.validation
    ((commonest, often),) = Counter(row.label for row in rows).most_common(1)
    answer = torch.full((len(rows),), labels.index(commonest))
    logits = torch.nn.functional.one_hot(answer, len(labels)).float()
    corpus = Corpus(ids=((2, 3),) * len(rows), pad_id=0)
    note_ignorance(run, Taught(corpus, logits, torch.zeros(0, len(rows), 4), answer))
    (warning,) = run.notes.warnings
    share = f"{100 * often / len(rows):.1f}\N{NO-BREAK SPACE}%"
    assert f"gets {share} of the validation rows right, and always answering {commonest} would get {share}" in warning


@pytest.mark.parametrize(
    ("limit", "served", "says"),
    [
        (
            128,
            256,
            "25.0 % of the rows (250 of 1,000) are longer than 128 tokens and cut there, but up to 256 are served",
        ),
        (128, 256, "set max_tokens and transfer.max_tokens, to at most 256"),
        (
            256,
            256,
            "256 tokens and cut there, which is all that the teacher reads: longer texts are cut when served, too",
        ),
    ],
)
def test_cut_rows_are_told_with_what_to_set(limit: int, served: int, says: str) -> None:
    said = cut_said(CutFacts(rows=1000, cut=250, limit_tokens=limit, served_tokens=served))
    assert says in said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(("limit", "most"), [(8, 8), (16, 16), (64, 32)])
def test_rows_beyond_the_limit_are_counted_and_warned_of(tmp_path: Path, limit: int, most: int) -> None:
    """A tiny row has a word for each token, and two special tokens; the teacher has 32 positions."""
    run = tiny.tiny_run(tmp_path, tiny.settings(max_tokens=limit))
    grid, tokenizer = untaught(run, 0)
    note_cut(run, grid, tokenizer)
    longer = sum(len(row.text.split()) + 2 > most for row in tiny.rows())
    assert run.notes.cut == CutFacts(rows=400, cut=longer, limit_tokens=most, served_tokens=32)
    assert len(run.notes.warnings) == (longer > 0)
    assert (longer > 0) == (limit == 8)


def test_the_page_says_how_many_rows_were_cut() -> None:
    report = ensemble_report()
    assert "rows cut at" not in render(report)
    report.notes.cut = CutFacts(rows=1297, cut=13, limit_tokens=128, served_tokens=512)
    page = render(report)
    assert "rows cut at 128 tokens" in page
    assert "13 (1.0\N{NO-BREAK SPACE}%)" in page
