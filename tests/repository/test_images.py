"""What the Dockerfiles copy is in the build's context, and is all that the package is made of."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.binaries import REPOSITORY

DOCKERFILES = sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("*/Dockerfile"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def _sources(dockerfile: str) -> list[str]:
    """What its COPY lines take from the context; what comes from another stage is left out."""
    lines = (REPOSITORY / dockerfile).read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from=" not in line]
    return [source for copy in copies for source in copy]


def _in_context(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore lets a path in: of the patterns that match it or a folder above, the last one says."""
    above = [path, *(parent.as_posix() for parent in Path(path).parents)]
    let_in = True
    for pattern in patterns:
        expression = _expression(pattern.removeprefix("!"))
        if any(re.fullmatch(expression, name) for name in above):
            let_in = pattern.startswith("!")
    return let_in


def _expression(pattern: str) -> str:
    """`*` stays within a folder, `**/` is any number of them: the only wildcards in use."""
    return re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")


def _ignored() -> list[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_everything_that_a_dockerfile_copies_exists_and_reaches_the_builder(dockerfile: str) -> None:
    sources = _sources(dockerfile)
    assert "pyproject.toml" in sources
    missing = [name for name in sources if not (REPOSITORY / name).exists() or not _in_context(name, _ignored())]
    assert missing == []


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_every_package_that_is_installed_is_copied(dockerfile: str) -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.split("/")[0] for package in packages} <= set(_sources(dockerfile))


@pytest.mark.parametrize(
    ("path", "let_in"),
    [
        ("load/phalanx_load/session.py", True),
        ("load/phalanx_load/__pycache__/session.cpython-311.pyc", False),
        ("tests/conftest.py", False),
        (".git/config", False),
        (".cache/tools/bin/helm", False),
    ],
)
def test_the_context_has_the_code_and_neither_its_caches_nor_anything_else(path: str, let_in: bool) -> None:
    assert _in_context(path, _ignored()) is let_in


def test_images_in_examples_and_pages_are_of_this_release() -> None:
    files = [*REPOSITORY.glob("examples/*.yaml"), *REPOSITORY.glob("docs/*.md"), REPOSITORY / "README.md"]
    tags = {tag for file in files for tag in re.findall(r"phalanx-(?:operator|worker):(\d[\d.]*\d)", file.read_text())}
    assert tags == {PROJECT["project"]["version"]}
