"""Where distillations stand, as their pods say."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import aiohttp

from phalanx_contract.distillation import PROGRESS_PATH, Progress, parse_progress
from phalanx_contract.errors import ContractError
from phalanx_operator.observe.http import get_all
from phalanx_operator.observe.targets import Target

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 1.0
"""For one pod. A network that keeps the operator out costs each round so much while something is distilled."""


async def progress_of(session: aiohttp.ClientSession, targets: Sequence[Target]) -> dict[str, Progress]:
    """By pod name, of those that answered. One that makes no sense counts as no answer: progress decides nothing."""
    found = {}
    for pod, body in (await get_all(session, targets, PROGRESS_PATH, timeout_s=TIMEOUT_S)).items():
        try:
            found[pod] = parse_progress(body)
        except ContractError as error:
            logger.warning("pod %s: its progress is not understood: %s", pod, error)
    return found
