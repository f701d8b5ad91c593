"""The grid: K students by L rows over shared embeddings, with prefix sums, ramps and adapters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from phalanx_grid.attention import attention_bias
from phalanx_grid.batch import Batch
from phalanx_grid.cell import Row
from phalanx_grid.embeddings import Embeddings
from phalanx_grid.geometry import Geometry
from phalanx_grid.labels import checked_labels
from phalanx_grid.outputs import FinalStep, GridOutput, RampStep
from phalanx_grid.ramps import Ramps
from phalanx_grid.readout import Readout, pool, pooled_sum, prefix_sums
from phalanx_grid.relative import RelativeBias

if TYPE_CHECKING:
    from phalanx_grid.lora import LoraAdapter
    from phalanx_grid.mixed import Selection
    from phalanx_grid.slots import AdapterTable


class Grid(nn.Module):
    """K shallow encoders side by side; the first k run as one stacked computation.

    `weights` float32 [K, K] are the prefix weights (see `readout`). `dropout` applies while training, and is no part of
    an artifact.
    A new grid's parameters are not initialised: see `from_geometry`, `import_checkpoint`, `load_artifact`.
    """

    weights: Tensor

    def __init__(self, geometry: Geometry, labels: Sequence[str] = (), *, ramps: bool = False) -> None:
        super().__init__()
        self.geometry = geometry
        self.labels = checked_labels(labels, geometry.classes)
        self.dropout = 0.0
        self.embeddings = Embeddings(geometry)
        buckets = geometry.relative_buckets
        self.relative = RelativeBias(geometry.students, buckets, geometry.heads) if buckets else None
        self.rows = nn.ModuleList(Row(geometry) for _ in range(geometry.rows))
        self.readout = Readout(geometry)
        self.ramps = Ramps(geometry) if ramps else None
        self.register_buffer("weights", torch.ones(geometry.students, geometry.students).tril())

    @classmethod
    def from_geometry(cls, geometry: Geometry, labels: Sequence[str] = (), seed: int = 0) -> Grid:
        """A grid with random weights, the same for the same seed."""
        grid, generator = cls(geometry, labels), torch.Generator().manual_seed(seed)
        grid.embeddings.reset(generator)
        if grid.relative is not None:
            grid.relative.reset(generator)
        for row in grid.rows:
            assert isinstance(row, Row)
            row.reset(generator)
        grid.readout.reset(generator)
        return grid

    @property
    def task(self) -> Literal["classification", "embedding"]:
        """What the grid answers with."""
        return "classification" if self.geometry.classes else "embedding"

    @property
    def has_ramps(self) -> bool:
        """Whether answers may leave before the last row."""
        return self.ramps is not None

    def add_ramps(self, seed: int = 0) -> Ramps:
        """Put an untrained ramp after every row but the last, in place of any that were there."""
        self.ramps = Ramps(self.geometry)
        self.ramps.reset(torch.Generator().manual_seed(seed))
        self.ramps.to(self.readout.head.weight.device)
        return self.ramps

    def forward(
        self,
        batch: Batch,
        *,
        students: int | None = None,
        collect_hidden: bool = False,
        adapter: LoraAdapter | None = None,
    ) -> GridOutput:
        """Run the first `students` (all by default) over a batch, differentiably.

        Raises:
            ValueError: a number of students that the grid does not have, or sequences that are too long.
        """
        k = self.checked(students)
        x, bias = self.begin(batch, k)
        hidden, ramp_logits = [x], []
        for index, row in enumerate(self.rows):
            delta = None if adapter is None else adapter.delta(index)
            first_only = self.first_only(index) and not collect_hidden
            x = row(x, bias, n=batch.size, dropout=self._drop, delta=delta, first_only=first_only)
            hidden.append(x)
            if index < self.geometry.rows - 1:
                ramp_logits.append(self.ramp(index, x, batch))
        pooled = x if first_only else pool(x, batch, self.geometry.pooling)
        own = self.readout(pooled) if adapter is None else adapter(self.readout.features(pooled))
        states = tuple(state.view(k, batch.size, batch.length, -1) for state in hidden) if collect_hidden else ()
        return GridOutput(prefix_sums(own, self.weights), pooled, states, tuple(ramp_logits))

    @torch.inference_mode()
    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """Run the first `students` over a batch, giving each ramp's answer as soon as its row is done.

        `ramp_rows` limits the ramps that are computed; by default all are. `adapters` holds what `batch.slots`
        name; the caller keeps them acquired until the last step is out.

        Raises:
            ValueError: as `forward`.
        """
        k = self.checked(students)
        chosen = None if adapters is None or batch.slots is None else adapters.select(batch.slots)
        x, bias = self.begin(batch, k)
        for index, row in enumerate(self.rows):
            delta, first_only = None if chosen is None else chosen.delta(index), self.first_only(index)
            x = row(x, bias, n=batch.size, delta=delta, first_only=first_only)
            if index < self.geometry.rows - 1 and (ramp_rows is None or index in ramp_rows):
                logits = self.ramp(index, x, batch)
                if logits is not None:
                    yield RampStep(index, logits[-1])
        pooled = x if first_only else pool(x, batch, self.geometry.pooling)
        yield self.finish(pooled, chosen)

    def checked(self, students: int | None) -> int:
        """The number of students to run, all for None.

        Raises:
            ValueError: the grid does not have so many.
        """
        k = self.geometry.students if students is None else students
        if not 1 <= k <= self.geometry.students:
            raise ValueError(f"{k} students asked of a grid that has 1..{self.geometry.students}")
        return k

    def begin(self, batch: Batch, k: int) -> tuple[Tensor, Tensor | None]:
        """Embeddings [k, N*S, H], one computation seen k times, and the attention bias."""
        x = self.embeddings(batch.ids)
        if self._drop:
            x = nn.functional.dropout(x, self._drop)
        return x.flatten(0, 1).expand(k, -1, -1), attention_bias(batch, k, self.relative)

    def first_only(self, row: int) -> bool:
        """Whether nothing but the first tokens' states will be read after a row."""
        return self.geometry.pooling == "cls" and row == self.geometry.rows - 1

    def finish(self, pooled: Tensor, chosen: Selection | None = None) -> FinalStep:
        """The answers of k students from their pooled last states [k, N, H]; `chosen` brings tenants' heads."""
        features = self.readout.features(pooled)
        together = prefix_sums(self.readout.head(features), self.weights)[-1]
        answers, embedding = list(together), pooled_sum(pooled, self.weights)
        if chosen is None:
            return FinalStep(answers, embedding, together)
        chosen.answer(answers, features, self.weights)
        return FinalStep(answers, embedding)

    def ramp(self, row: int, x: Tensor, batch: Batch) -> Tensor | None:
        """Prefix sums [k, N, C] of the ramp after a row with states x [k, N*S, H]; None without ramps."""
        if self.ramps is None:
            return None
        logits: Tensor = self.ramps(row, pool(x, batch, self.geometry.pooling), self.weights)
        return logits

    @property
    def _drop(self) -> float:
        return self.dropout if self.training else 0.0
