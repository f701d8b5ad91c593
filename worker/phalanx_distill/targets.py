"""What a student is fitted to: the teacher's logits, its hidden states if wanted, and labels where there are any."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from phalanx_distill.config import StudentSettings

NO_LABEL = -1


def centred(logits: Tensor) -> Tensor:
    """Logits [..., C] less their mean over the classes.

    Softmax does not see that mean, so a student should not spend itself on it.
    """
    return logits - logits.mean(dim=-1, keepdim=True)


def logit_loss(answer: Tensor, target: Tensor) -> Tensor:
    """Mean squared error between a student's logits [N, C] and its centred target [N, C]."""
    return F.mse_loss(centred(answer.float()), target)


def hidden_loss(pooled: Tensor, target: Tensor) -> Tensor:
    """Mean squared error between a student's pooled states [N, H] and the teacher's."""
    return F.mse_loss(pooled.float(), target)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [N, C] on the rows that have a label, over all N: a row counts alike in every batch."""
    labelled = labels != NO_LABEL
    return F.cross_entropy(logits[labelled].float(), labels[labelled], reduction="sum") / len(labels)


def hidden_rows(settings: StudentSettings, teacher_rows: int) -> list[int]:
    """The teacher's rows whose states students 0, 1, ... are drawn to: none, its last, or the last of each chunk.

    The teacher is cut into as many equal chunks as there are students, or into one for each row if they are more.
    """
    if settings.hidden == "none":
        return []
    if settings.hidden == "last":
        return [teacher_rows - 1]
    students = settings.auto.max_count if settings.count == "auto" else settings.count
    chunks = min(students, teacher_rows)
    return [(chunk + 1) * teacher_rows // chunks - 1 for chunk in range(chunks)]
