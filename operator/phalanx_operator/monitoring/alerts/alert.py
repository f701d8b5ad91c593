"""One alert. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PAGE = "docs/alerts.md"
"""Where the runbooks are; the chart puts the address under which you publish it in its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """`expr` gives a series for each case. `summary` and `description` may use its labels in Prometheus's templates.

    Attributes:
        hold: how long it has to be so, as a Prometheus duration.
        severity: critical where requests fail or soon may; warning where accuracy, latency or adaptation suffer.
        description: what is so, and the first thing to do.
        steps: the runbook: what to look at and what to change, one thing each, in Markdown.
    """

    name: str
    expr: str
    hold: str
    severity: Literal["critical", "warning"]
    summary: str
    description: str
    steps: tuple[str, ...]

    @property
    def runbook(self) -> str:
        """The page with the anchor that its heading gets."""
        return f"{PAGE}#{self.name.lower()}"
