"""A loaded ensemble, as the rest of the server sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from phalanx_grid import AdapterTable, Grid, Tokenizer
from phalanx_grid.execution import Executor
from phalanx_grid.execution.staging import Returns
from phalanx_server.batching.arrivals import Arrivals
from phalanx_server.batching.capacity import Capacity


@dataclass(slots=True)
class Speed:
    """What the engine has learnt of a model's capacity; assigned as a whole by the engine, read by admission.

    `floor` is the number of students that the accuracy budget asks for at least.
    """

    now: Capacity
    floor: int = 1


@dataclass(slots=True)
class Offered:
    """What clients have asked of a model; assigned as a whole by admission, read by the engine."""

    now: Arrivals = field(default_factory=Arrivals)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Model:
    """One artifact under one name. Another artifact makes another `Model`; this one's `speed` and `offered` change.

    `executor` runs the grid, `returns` brings its answers home (both are the engine thread's), and `capacity` is what
    warm-up measured. `fidelity` is the number format of what is multiplied, `adapted_fidelity` that of batches with
    tenants in them. `example` are the ids of a short text, for self-checks. `agreement` and `accuracy` are the
    manifest's, by number of students.
    """

    name: str
    digest: str
    grid: Grid
    executor: Executor
    returns: Returns = field(default_factory=Returns)
    tokenizer: Tokenizer
    adapters: AdapterTable
    capacity: Capacity
    speed: Speed
    offered: Offered = field(default_factory=Offered)
    example: tuple[int, ...]
    device: str = "cpu"
    fidelity: str = "fp32"
    adapted_fidelity: str = "fp32"
    agreement: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()

    def renamed(self, name: str) -> Model:
        """The same in memory under another name, with what was learnt of its speed."""
        return replace(self, name=name, capacity=self.speed.now)

    @property
    def students(self) -> int:
        """Columns of the grid."""
        return self.grid.geometry.students

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the base readout's classes; none for embeddings only."""
        return self.grid.labels
