"""The layout of the repository keeps its promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_operator_folder_is_no_package_of_its_own() -> None:
    modules = sorted(path.name for path in (ROOT / "operator").glob("*.py"))
    assert modules == [], "a module or __init__.py directly in operator/ would shadow Python's own `operator`"


@pytest.mark.parametrize("flags", [(), ("-m",)], ids=["script", "module"])
def test_the_standard_library_operator_is_found_from_the_repository_root(flags: tuple[str, ...]) -> None:
    code = "import operator, phalanx_operator; print(operator.itemgetter.__module__, operator.__file__)"
    command = [sys.executable, "-c", code] if not flags else [sys.executable, "-m", "operator"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(ROOT) not in done.stdout
    assert done.stderr == ""


def test_the_layers_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_phalanx_up_and_the_operator_do_not_load_torch() -> None:
    code = (
        "import sys, phalanx_cli.main, phalanx_cli.up, phalanx_cli.operator, phalanx_cli.top, phalanx_cli.verify;"
        "import phalanx_cli.plugin.main;"
        "print([name for name in ('torch', 'phalanx_grid') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
