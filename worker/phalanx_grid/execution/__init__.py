"""Ways to run a grid's forward pass, behind one interface.

An executor that cannot do what a batch asks of it (adapters, or ramps that may answer) hands the batch to `stacked`.
"""

from phalanx_grid.execution.executor import TOLERANCES, Executor
from phalanx_grid.execution.registry import EXECUTORS, check_name, make_executor
from phalanx_grid.execution.stacked import Stacked

__all__ = ["EXECUTORS", "TOLERANCES", "Executor", "Stacked", "check_name", "make_executor"]
