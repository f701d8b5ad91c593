"""kubectl accepts every manifest in the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.binaries import REPOSITORY
from tests.e2e.cluster import Cluster

CRDS = sorted((REPOSITORY / "crds").glob("*.yaml"))
CRDS_WITH_RULES = sorted((REPOSITORY / "crds" / "cel").glob("*.yaml"))
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))
FOREIGN = re.compile(r"^apiVersion: keda\.sh/", re.MULTILINE)
"""Kinds of projects that are not installed here: nobody could say whether they are right."""


def ours(file: Path) -> str:
    """The manifests of a file but for those of foreign kinds."""
    documents = file.read_text().split("\n---\n")
    return "\n---\n".join(document for document in documents if not FOREIGN.search(document))


def test_there_are_three_definitions_and_some_examples():
    assert len(CRDS) == len(CRDS_WITH_RULES) == 3
    assert EXAMPLES


@pytest.mark.parametrize("mode", ["client", "server"])
@pytest.mark.parametrize("file", [*CRDS, *EXAMPLES], ids=lambda file: file.name)
def test_kubectl_accepts(release: Cluster, file, mode):
    # Validation is kubectl's default; a server without the resource's schema would refuse the examples.
    printed = release.kubectl("apply", f"--dry-run={mode}", "-f", "-", stdin=ours(file))
    assert f"({'dry run' if mode == 'client' else 'server dry run'})" in printed


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_unknown_field_in_an_example_is_refused(release: Cluster, file):
    text = ours(file).replace("\nspec:", "\nspec:\n  typo: true", 1)
    printed = release.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text, check=False)
    assert "typo" in printed


@pytest.mark.parametrize("mode", ["client", "server"])
@pytest.mark.parametrize("file", CRDS_WITH_RULES, ids=lambda file: file.name)
def test_kubectl_accepts_rules_where_the_server_knows_them_and_names_them_elsewhere(release: Cluster, file, mode):
    minor = int(re.sub(r"\D", "", json.loads(release.kubectl("version", "-o", "json"))["serverVersion"]["minor"]))
    printed = release.kubectl("apply", f"--dry-run={mode}", "-f", file, check=False)
    assert ("dry run)" in printed) == (minor >= 25), printed
    assert ('unknown field "x-kubernetes-validations"' in printed) == (minor < 25), printed
