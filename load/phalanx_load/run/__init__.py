"""Sending, and recording what comes back."""

from phalanx_load.run.closed_loop import saturate
from phalanx_load.run.open_loop import Load, drive
from phalanx_load.run.record import Record, Status

__all__ = ["Load", "Record", "Status", "drive", "saturate"]
