"""Token, position and type embeddings: one table for all students, computed once per batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phalanx_grid.geometry import Geometry


class Embeddings(nn.Module):
    """The row below row 0, shared by all students."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        hidden = geometry.hidden
        self.word = nn.Parameter(torch.empty(geometry.vocab, hidden))
        self.position = nn.Parameter(torch.empty(geometry.max_positions, hidden))
        self.token_type = nn.Parameter(torch.empty(geometry.type_vocab, hidden)) if geometry.type_vocab else None
        self.norm_weight = nn.Parameter(torch.empty(hidden))
        self.norm_bias = nn.Parameter(torch.empty(hidden))

    def forward(self, ids: Tensor) -> Tensor:
        """ids [N, S] to states [N, S, H]; every token is of type 0 (single texts).

        Raises:
            ValueError: more tokens than there are positions.
        """
        if ids.shape[1] > self.geometry.max_tokens:
            raise ValueError(f"{ids.shape[1]} tokens, but this grid takes at most {self.geometry.max_tokens}")
        x = F.embedding(ids, self.word) + self._position(ids)
        if self.token_type is not None:
            x = x + self.token_type[0]
        return F.layer_norm(x, (self.geometry.hidden,), self.norm_weight, self.norm_bias, self.geometry.layer_norm_eps)

    def _position(self, ids: Tensor) -> Tensor:
        """What each place adds, [N, S, H], or [S, H] for all texts alike."""
        offset = self.geometry.position_offset
        if self.geometry.family == "bert":
            return self.position[offset : offset + ids.shape[1]]
        # MPNet counts only tokens other than the pad token, even where one stands inside a text.
        real = (ids != self.geometry.pad_id).long()
        return F.embedding(real.cumsum(1) * real + offset - 1, self.position)

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """BERT's initialisation."""
        for table in (self.word, self.position, self.token_type):
            if table is not None:
                table.normal_(std=0.02, generator=generator)
        self.norm_weight.fill_(1.0)
        self.norm_bias.zero_()
