"""Names of classes."""

from __future__ import annotations

from collections.abc import Sequence


def checked_labels(labels: Sequence[str], classes: int) -> tuple[str, ...]:
    """The labels, or `LABEL_0`... where none are given.

    Raises:
        ValueError: another number than classes, an empty or a repeated label.
    """
    if not labels:
        return tuple(f"LABEL_{index}" for index in range(classes))
    if len(labels) != classes:
        raise ValueError(f"{len(labels)} labels for {classes} classes")
    if not all(labels):
        raise ValueError("a label is empty")
    if len(set(labels)) != len(labels):
        repeated = next(label for label in labels if list(labels).count(label) > 1)
        raise ValueError(f"the label {repeated!r} stands twice")
    return tuple(labels)
