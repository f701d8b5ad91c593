"""Accuracy, agreement and reports say what was counted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from phalanx_distill.config import StudentSettings, TransferSettings, parse_settings
from phalanx_distill.evaluate import measure
from phalanx_distill.intervals import Pairs, wilson
from phalanx_distill.progress import Bars, Lines, reporter
from phalanx_distill.report.document import FILE, read_report
from phalanx_distill.targets import centred, hidden_rows, label_loss, logit_loss
from phalanx_distill.transfer import transfer_texts


def one_hot(*answers: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(answers), 3).float()


def test_accuracy_and_agreement_are_counted_for_every_number_of_students() -> None:
    expected = torch.tensor([0, 1, 2, 0])
    logits = torch.stack([one_hot(0, 0, 0, 0), one_hot(0, 1, 0, 0)])
    ramp = torch.stack([one_hot(0, 1, 2, 0), one_hot(2, 1, 0, 0)])
    measured = measure(logits, expected, dataset="d", teacher=one_hot(0, 1, 2, 1), ramps=(ramp,))
    first, second = measured.accuracy.by_k
    assert (first.accuracy, first.agreement) == (0.5, 0.75)
    assert (second.accuracy, second.agreement) == (0.75, 1.0)
    assert (second.low, second.high) == (wilson(3, 4).low, wilson(3, 4).high)
    assert measured.accuracy.teacher is not None
    assert measured.accuracy.teacher.accuracy == 0.75
    assert measured.teacher_agreement == (0.25, 0.5)
    assert measured.pairs == (Pairs(1, 1, 2, 0), Pairs(2, 1, 1, 0))
    assert [(r.students, r.accuracy, r.agreement) for r in measured.ramps] == [(1, 1.0, 0.5), (2, 0.5, 0.75)]


def test_without_a_teacher_there_is_nothing_to_agree_with() -> None:
    measured = measure(one_hot(0, 1).unsqueeze(0), torch.tensor([0, 1]), dataset="d")
    assert measured.accuracy.teacher is None
    assert measured.teacher_agreement == ()


def test_the_logit_loss_does_not_see_what_softmax_does_not_see() -> None:
    logits, residual = torch.randn(4, 3), centred(torch.randn(4, 3))
    torch.testing.assert_close(logit_loss(logits + 7, residual), logit_loss(logits, residual))
    torch.testing.assert_close(centred(logits).softmax(-1), logits.softmax(-1))


def test_the_label_loss_counts_labelled_rows_alone_and_alike_in_every_batch() -> None:
    logits, labels = torch.randn(4, 3), torch.tensor([2, -1, 0, -1])
    alone = torch.nn.functional.cross_entropy(logits[[0, 2]], labels[[0, 2]], reduction="sum")
    torch.testing.assert_close(label_loss(logits, labels), alone / 4)
    assert label_loss(logits, torch.full((4,), -1)) == 0


def test_chunks_of_the_teacher_end_at_its_last_row_and_leave_none_out() -> None:
    def ends(hidden: str, count: int, rows: int) -> list[int]:
        return hidden_rows(parse_settings(StudentSettings, {"hidden": hidden, "count": count}), rows)

    assert ends("none", 4, 6) == []
    assert ends("last", 4, 6) == [5]
    assert ends("chunk", 3, 6) == [1, 3, 5]
    assert ends("chunk", 4, 6) == [0, 2, 3, 5]
    assert ends("chunk", 8, 3) == [0, 1, 2]


def test_transfer_text_holds_no_held_out_text_wherever_it_comes_from() -> None:
    train = [f"word{i} of text number {i}" for i in range(30)]
    unlabelled = ["a secret test text", "free text", "free text", *train[:2]]
    settings = TransferSettings(neighbours=2)
    texts = transfer_texts(train, unlabelled, settings, held_out=["a secret test text"], seed=0)
    assert texts[:30] == train
    assert len(texts) == len(set(texts))
    assert "free text" in texts
    assert "a secret test text" not in texts
    backwards = transfer_texts(train, unlabelled[::-1], settings, held_out=["a secret test text"], seed=0)
    assert texts == backwards


def test_a_text_that_equals_a_held_out_row_in_its_words_is_left_out() -> None:
    unlabelled = ["Not, a SECRET... test-text!", "not a secret test tex"]
    texts = transfer_texts(["train"], unlabelled, TransferSettings(), held_out=["not a secret test text"], seed=0)
    assert [text for text in texts if "test" in text] == ["not a secret test tex"]


def test_texts_are_bounded_and_chosen_without_regard_to_order() -> None:
    many = [f"text {i}" for i in range(100)]
    settings = TransferSettings(neighbours=0, max_texts=11)
    texts = transfer_texts(["train"], many, settings, held_out=[], seed=0)
    assert len(texts) == 11
    assert texts[0] == "train"
    assert texts == transfer_texts(["train"], many[::-1], settings, held_out=[], seed=0)


def test_lines_are_few_and_say_how_far_it_is() -> None:
    now = 0.0
    said_to = io.StringIO()
    lines = Lines(Console(file=said_to, width=120), clock=lambda: now)
    with lines.stage("teacher", 100) as advance:
        for _ in range(100):
            now += 1.0
            advance(note="loss 0.5")
    said = said_to.getvalue().splitlines()
    assert said[0] == "teacher: 15/100 loss 0.5, 1:25 left"
    assert said[-1] == "teacher: done in 100.0 s loss 0.5"
    assert len(said) == 7


def test_what_an_earlier_process_did_does_not_make_the_rest_look_quick() -> None:
    now = 0.0
    said_to = io.StringIO()
    with Lines(Console(file=said_to, width=120), clock=lambda: now).stage("teacher", 1000, done=900) as advance:
        for _ in range(15):
            now += 1.0
            advance()
    assert said_to.getvalue().splitlines()[0] == "teacher: 915/1000 , 1:25 left"


def test_bars_start_where_an_earlier_process_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(Console(force_terminal=True, width=140)).stage("teacher", 4, done=3) as advance:
        advance()
    assert "4/4" in capsys.readouterr().out


def test_a_terminal_gets_bars_and_a_pipe_gets_lines() -> None:
    assert isinstance(reporter(Console(force_terminal=True)), Bars)
    assert isinstance(reporter(Console(force_terminal=False)), Lines)


def test_bars_advance(capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars(Console(force_terminal=True, width=140))
    with bars.stage("teacher", 4) as advance:
        advance(4, note="loss 0.25")
    assert "4/4" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_report_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert read_report(tmp_path) is None
