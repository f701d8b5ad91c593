"""When somebody should look, and what they should do then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phalanx_operator.monitoring.alerts import control, serving
from phalanx_operator.monitoring.alerts.alert import Alert

GROUPS: Final[Mapping[str, tuple[Alert, ...]]] = {
    "phalanx-serving": serving.ALERTS,
    "phalanx-control": control.ALERTS,
}
