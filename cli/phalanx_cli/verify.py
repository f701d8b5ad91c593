"""`phalanx verify`: are the files that are generated from the code the ones that it generates?"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

import click

_ROOT_MARK: Final = "operator/phalanx_operator/api/schema"
_PROJECT: Final = "pyproject.toml"
_CHART: Final = "helm/phalanx-operator/Chart.yaml"
_RELEASE_LINE: Final = re.compile(r"^(version|appVersion): .*$", re.MULTILINE)
"""Chart, operator and worker are released together, under the version that pyproject.toml has."""


@click.command("verify")
@click.option("--write", is_flag=True, help="Write the files instead of comparing them.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The repository; the working directory when left out.",
)
def command(write: bool, root: Path) -> None:
    """Write or check the files that are generated (CRDs, dashboard, alert rules, references, the chart's version)."""
    if not (root / _ROOT_MARK).is_dir():
        raise click.UsageError(f"{root.resolve()} is no checkout of phalanx; run this at its root or give --root")
    generated = _generated()
    wanted, surplus = generated | _stamped(root), _left_over(root, generated)
    if write:
        _write(root, wanted, surplus)
        return
    stale = [path for path, text in wanted.items() if _read(root / path) != text] + surplus
    for path in stale:
        click.echo(f"{path} is not what the code generates: run `phalanx verify --write`", err=True)
    if stale:
        sys.exit(1)
    click.echo(f"{len(wanted)} generated files are up to date")


def _generated() -> dict[str, str]:
    from phalanx_operator.api.schema.reference import reference
    from phalanx_operator.api.schema.text import files
    from phalanx_operator.monitoring.files import files as monitoring
    from phalanx_server.reference import reference as worker_settings

    pages = {"docs/reference.md": reference(), "docs/worker-settings.md": worker_settings()}
    return files() | pages | monitoring()


def _stamped(root: Path) -> dict[str, str]:
    """The chart's own file with the release of pyproject.toml, where the checkout has both."""
    project, chart = _read(root / _PROJECT), _read(root / _CHART)
    if project is None or chart is None:
        return {}
    release = tomllib.loads(project)["project"]["version"]
    return {_CHART: _RELEASE_LINE.sub(rf"\g<1>: {release}", chart)}


def _write(root: Path, wanted: dict[str, str], surplus: list[str]) -> None:
    for path in surplus:
        (root / path).unlink()
        click.echo(f"removed {path}")
    for path, text in wanted.items():
        if _read(root / path) != text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            click.echo(f"wrote {path}")


def _left_over(root: Path, wanted: dict[str, str]) -> list[str]:
    """Files in the generated folders that the code no longer generates."""
    folders = {str(Path(path).parent) for path in wanted if path.endswith(".yaml")}
    found = [path.relative_to(root).as_posix() for folder in folders for path in (root / folder).glob("*.yaml")]
    return sorted(set(found) - set(wanted))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
