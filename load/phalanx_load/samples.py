"""What is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, and the label that a right answer has; no label means that answers are not scored."""

    text: str
    label: str = ""
