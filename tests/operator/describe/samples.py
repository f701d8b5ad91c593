"""The sample outputs in docs/observability.md: `python -m tests.operator.describe.samples` writes them again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phalanx_operator.describe.ensemble import explain
from phalanx_operator.describe.lines import Line
from phalanx_operator.describe.overview import overview
from phalanx_operator.describe.recommend import recommend
from phalanx_operator.describe.top import top
from tests.operator.describe import scene

PAGE: Final = Path(__file__).parents[3] / "docs" / "observability.md"
_BLOCK: Final = re.compile(r"(<!-- sample:(?P<name>[\w-]+) -->\n```text\n).*?(```\n)", re.DOTALL)


def samples() -> dict[str, str]:
    """What the commands print for the scene, by name of the block."""
    pool, ensemble = scene.busy_pool(), scene.cut_ensemble()
    return {
        "top": _text(top(scene.seen())),
        "status": _text(overview(scene.seen(), namespaces=False)),
        "explain": _text(explain(ensemble, pool, now=scene.NOW)),
        "recommend": _text(recommend(*scene.recommending(), now=scene.NOW)),
        "drain": "".join(f"{line}\n" for line in DRAINED),
    }


DRAINED: Final = (
    "gpus-a: evicted; it finishes its requests, for 60 s at most",
    "gpus-a: gone; waiting for 1 of 3 workers of pool/gpus to be ready",
    "gpus-a: gone; all 3 workers of pool/gpus are ready",
)
"""tests/cli/test_drain.py holds the command to it."""


def with_samples(page: str, shown: Mapping[str, str]) -> str:
    """The page with every block as it should be."""
    return _BLOCK.sub(lambda block: f"{block[1]}{shown[block['name']]}{block[3]}", page)


def _text(lines: list[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(with_samples(PAGE.read_text(), samples()))
