"""What the workers say of themselves."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aiohttp

from phalanx_contract.errors import ContractError
from phalanx_contract.worker import STATUS_PATH, WorkerStatus, parse_status
from phalanx_operator.observe.http import get_all
from phalanx_operator.observe.targets import Target

logger = logging.getLogger(__name__)


async def worker_statuses(session: aiohttp.ClientSession, targets: Sequence[Target]) -> dict[str, WorkerStatus]:
    """The reports of the workers that answered, by pod name. One that makes no sense counts as no answer."""
    statuses = {}
    for pod, body in (await get_all(session, targets, STATUS_PATH)).items():
        try:
            statuses[pod] = parse_status(body)
        except ContractError as error:
            logger.warning("worker %s: its report is not understood: %s", pod, error)
    return statuses
