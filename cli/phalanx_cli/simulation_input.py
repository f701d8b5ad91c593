"""From the arguments of `phalanx simulate` to a trace and to what it meets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from phalanx_load import LoadError
from phalanx_load.arrivals import read_trace
from phalanx_operator.local.files import load
from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.profile import CPU, Profile, parse_profile
from phalanx_operator.simulate.setup import EXAMPLE, Setup, setup_of
from phalanx_operator.simulate.trace import Trace, trace_of
from phalanx_operator.simulate.traces import SHIPPED, shipped


def trace_named(name: str, *, seed: int) -> Trace:
    """A shipped trace, or the file of that name.

    Raises:
        SimulationError: there is neither, or a line of the file is at fault; the text names it.
    """
    path = Path(name)
    if name in SHIPPED or not path.exists():
        return shipped(name, seed=seed)
    try:
        slots = read_trace(path.read_text(encoding="utf-8").splitlines())
    except (LoadError, UnicodeDecodeError) as error:
        raise SimulationError(f"{path}: {error}") from error
    arrivals = ((slot.start_s, 0.0 if slot.exact else slot.seconds, float(slot.count)) for slot in slots)
    return trace_of(path.stem, arrivals)


def read_setup(pool_path: Path | None, profile_path: Path | None) -> Setup:
    """The pool and the worker of the files, or the examples where there is none.

    Raises:
        SimulationError, FilesError, SpecError: a file is not what it should be; the text names it and the field.
    """
    profile = CPU if profile_path is None else _profile(profile_path)
    return setup_of(EXAMPLE if pool_path is None else load([pool_path]).objects, profile=profile)


def _profile(path: Path) -> Profile:
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return parse_profile(data if isinstance(data, dict) else {})
    except (UnicodeDecodeError, yaml.YAMLError, SimulationError) as error:
        raise SimulationError(f"{path}: {' '.join(str(error).split())}") from error
