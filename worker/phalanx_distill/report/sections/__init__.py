"""The page's sections, one module each: from a report to blocks, or to None where there is nothing of the kind.

A section that a report of an earlier release cannot fill says so, in place of what is missing.
"""

from __future__ import annotations

from typing import Final

from phalanx_distill.report.blocks import Prose, Tone

NOT_RECORDED: Final = Prose(
    "The release that made this artifact did not record it. Distil again with --force to have it.", Tone.QUIET
)
