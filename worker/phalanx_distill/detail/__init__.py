"""A closer look at the held-out answers, for the report alone: the manifest and serving do without.

calibration   how often an answer of a given confidence is right
classes       where teacher and ensemble differ, by class
exits         what leaving at a ramp costs, by threshold
"""

from phalanx_distill.detail.calibration import Bin, Reliability
from phalanx_distill.detail.classes import ClassReading, Confusion, Differing
from phalanx_distill.detail.exits import ExitReading
from phalanx_distill.detail.look import Detail, look

__all__ = ["Bin", "ClassReading", "Confusion", "Detail", "Differing", "ExitReading", "Reliability", "look"]
