"""`python -m bench [NAME...]`: run benchmarks by name, or all of them."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("grid_cpu", "demo", "serving")


def main() -> None:
    """Run what is named on the command line."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    for name in names:
        print(importlib.import_module(f"bench.{name}").run())


if __name__ == "__main__":
    main()
