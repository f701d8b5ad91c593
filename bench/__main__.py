"""`python -m bench [NAME...]`: run benchmarks by name, or all that take minutes; `python -m bench NAME --help`."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("cpu", "executors", "demo", "serving", "simulate")
ON_REQUEST = ("gpu", "scale", "chaos")
"""Run only if they are named: they need what not every machine has."""
LONG = ("accuracy", "ablation")
"""They train for hours, and are run only by name."""
OPTIONED = ("cpu", "scale", "chaos", *LONG)
"""They take options if they are named first."""


def main() -> None:
    """Run what is named on the command line; options belong to the one benchmark before them."""
    given = sys.argv[1:]
    options = [part for part in given if part.startswith("-")]
    if given and (given[0] in LONG or (given[0] in OPTIONED and options)):
        print(importlib.import_module(f"bench.{given[0]}").run(given[1:]))
        return
    names = given or list(BENCHMARKS)
    unknown = sorted(set(names) - {*BENCHMARKS, *ON_REQUEST})
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join((*BENCHMARKS, *ON_REQUEST, *LONG))}")
    for name in names:
        print(importlib.import_module(f"bench.{name}").run())


if __name__ == "__main__":
    main()
