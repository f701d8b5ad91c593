"""Texts a second while texts are always waiting."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from bench.cpu.batching import ORDERS, padding
from bench.cpu.contenders import Answer, Contender, Ids
from bench.cpu.rounds import drawing, shuffled, until
from bench.cpu.scale import SEED, Cell, Scale
from bench.record import Figure

PLAIN: Final = "transformers_fp32:padded"
"""What every rate is held against: the usual way."""


def measure(scale: Scale, cell: Cell, ids: Ids, contenders: Sequence[Contender]) -> dict[str, Figure]:
    """The rate of every contender in each of its orders, over that of the plain way, and the padding of each order."""
    places, dice = drawing(len(ids), "throughput"), random.Random(SEED)
    served = {f"{each.name}:{order}": (each.answer, order) for each in contenders for order in each.orders}
    most, chunks, rounds = len(ids) // scale.chunk_texts, [], []
    for turn in until(cell.throughput_s, least=scale.least_chunks, most=most, what=f"{scale.chunk_texts} texts"):
        chunk = [ids[place] for place in places[turn * scale.chunk_texts : (turn + 1) * scale.chunk_texts]]
        chunks.append(chunk)
        calls = {name: partial(_serve, answer, order, chunk) for name, (answer, order) in served.items()}
        rounds.append(shuffled(calls, dice))
    found = _figures(list(served), chunks, rounds, scale.chunk_texts)
    return {f"{cell}:{key}": figure for key, figure in found.items()}


def _serve(answer: Answer, order: str, ids: Ids) -> None:
    """Every text of a chunk, batch by batch, from the moment when all of them wait."""
    for batch in ORDERS[order]([len(text) for text in ids]):
        answer([ids[place] for place in batch])


def _figures(
    names: Sequence[str], chunks: Sequence[Ids], rounds: Sequence[Mapping[str, float]], texts: int
) -> dict[str, Figure]:
    figures = {f"padding:{order}": _padding(order, chunks) for order in ORDERS}
    for name in names:
        taken, plain = [own[name] for own in rounds], [own[PLAIN] for own in rounds]
        rates, gains = [texts / own for own in taken], [p / own for p, own in zip(plain, taken, strict=True)]
        rate = texts * len(rounds) / sum(taken)
        figures[f"throughput:{name}"] = Figure(value=rate, low=min(rates), high=max(rates), unit="texts/s")
        gain = sum(plain) / sum(taken)
        figures[f"gain:{name}"] = Figure(value=gain, low=min(gains), high=max(gains), unit="x")
    return figures


def _padding(order: str, chunks: Sequence[Ids]) -> Figure:
    """The share of padding in what is computed; the bounds are the chunks'."""
    each = [[[len(ids[place]) for place in batch] for batch in ORDERS[order]([len(t) for t in ids])] for ids in chunks]
    shares = [padding(batches) for batches in each]
    together = padding([batch for batches in each for batch in batches])
    return Figure(value=together, low=min(shares), high=max(shares), unit="share")
