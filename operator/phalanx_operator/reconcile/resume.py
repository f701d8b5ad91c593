"""The plan that is in a pool's ConfigMaps, for an operator that was restarted. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from phalanx_contract.errors import ContractError
from phalanx_contract.plan import Plan, PlanHash
from phalanx_contract.wire import unpack
from phalanx_operator.api.types import Manifest


def served_plan(children: Iterable[Manifest]) -> tuple[PlanHash, Plan] | None:
    """Hash and plan; None if there is none, or none that can be read."""
    files: dict[str, bytes] = {}
    for child in children:
        if child["kind"] == "ConfigMap":
            data = child.get("binaryData") or {}
            files |= {name: base64.b64decode(content) for name, content in data.items()}
    try:
        return unpack(files)
    except ContractError:
        return None
