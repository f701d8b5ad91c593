"""Tables in the documentation, made from bench/results: `python -m bench.render --write`, or `--check`.

A table stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` in a Markdown file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.ablation.table import markdown as ablation_table
from bench.accuracy.table import commits
from bench.accuracy.table import markdown as accuracy_table
from bench.chaos.table import markdown as chaos_table
from bench.cpu.table import markdown as cpu_tables
from bench.executors.table import markdown as executor_tables
from bench.gpu.table import PICTURES as GPU_PICTURES
from bench.gpu.table import markdown as gpu_tables
from bench.gpu.table import measured
from bench.record import RESULTS
from bench.scale.table import markdown as scale_table
from bench.serving.table import markdown as serving_tables
from bench.simulate.table import markdown as simulation_table

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = (
    "README.md", "docs/models.md", "docs/serving.md", "docs/execution.md", "docs/distillation.md", "docs/platform.md",
    "docs/simulation.md", "docs/operations.md",
)  # fmt: skip
_BLOCK: Final = re.compile(r"(<!-- bench:(?P<name>\w+) -->\n).*?(<!-- /bench:(?P=name) -->)", re.DOTALL)
Result = Mapping[str, Any]


def cpu(result: Result) -> str:
    """Ensembles against teachers in this engine, transformers and ONNX Runtime."""
    picture = "![Latency and throughput of ensembles and teachers on a CPU](img/cpu.png)"
    return "\n".join([cpu_tables(result["figures"]), "", picture, "", _source(result)])


def serving(result: Result) -> str:
    """Capacity, latency under load, and a burst."""
    return "\n".join([serving_tables(result["figures"]), "", _source(result)])


def simulate(result: Result) -> str:
    """The operator's policy against baselines, in simulation."""
    return "\n".join([simulation_table(result["figures"]), "", _source(result)])


def _source(result: Result) -> str:
    return f"`{result['command']}` at {result['commit']}, {result['date']}, on {result['machine']}."


def executors(result: Result) -> str:
    """Ways to run a grid on a CPU."""
    return "\n".join([executor_tables(result["figures"]), "", _source(result)])


def gpu(result: Result) -> str:
    """Latency, executors and a burst on a GPU, with their pictures."""
    drawn = [names for kind, names in GPU_PICTURES.items() if measured(result["figures"], kind)]
    pictures = [f"![{title}](img/gpu-{name}.png)" for name, title in drawn]
    return "\n\n".join([gpu_tables(result), *pictures, _source(result)])


def accuracy(result: Result) -> str:
    """Ensembles against their teachers, task by task."""
    return _trained(result, accuracy_table(result), "accuracy", "Accuracy by number of students, against the teacher")


def scale(result: Result) -> str:
    """The operator with many resources."""
    return "\n".join([scale_table(result["figures"]), "", _source(result)])


def chaos(result: Result) -> str:
    """What becomes of requests and of what is held when things are killed."""
    return "\n".join([chaos_table(result["figures"]), "", _source(result)])


def ablation(result: Result) -> str:
    """What a change of one choice does."""
    return _trained(result, ablation_table(result), "ablation", "Effects of single choices on accuracy")


def _trained(result: Result, table: str, name: str, title: str) -> str:
    """A table whose runs were finished at different times, and its picture."""
    source = f"`{result['command']}` on {result['machine']}: {commits(result)}."
    return "\n".join([table, "", f"![{title}](img/{name}.png)", "", source])


TABLES: Final[Mapping[str, Callable[[Result], str]]] = {
    "cpu": cpu,
    "executors": executors,
    "gpu": gpu,
    "serving": serving,
    "simulate": simulate,
    "scale": scale,
    "chaos": chaos,
    "accuracy": accuracy,
    "ablation": ablation,
}


def rendered(text: str) -> str:
    """A page with its tables as the results have them."""

    def table(match: re.Match[str]) -> str:
        path = RESULTS / f"{match['name']}.json"
        if not path.exists():
            return f"{match[1]}Not measured yet: `python -m bench {match['name']}`.\n{match[3]}"
        return f"{match[1]}{TABLES[match['name']](json.loads(path.read_text()))}\n{match[3]}"

    return _BLOCK.sub(table, text)


def main() -> int:
    """Write the tables, or exit with 1 and the names of stale pages."""
    write = sys.argv[1:] == ["--write"]
    stale = [page for page in PAGES if rendered((ROOT / page).read_text()) != (ROOT / page).read_text()]
    for page in stale:
        if write:
            (ROOT / page).write_text(rendered((ROOT / page).read_text()))
        else:
            print(f"{page}: its tables are not those of bench/results; run `python -m bench.render --write`")
    return 1 if stale and not write else 0


if __name__ == "__main__":
    sys.exit(main())
