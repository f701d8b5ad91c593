"""docs/platform.md lists exactly the rights that the chart grants."""

from __future__ import annotations

import re

from tests.binaries import REPOSITORY
from tests.chart.rendering import of_kind, render

PAGE = REPOSITORY / "docs" / "platform.md"


def documented() -> set[tuple[str, str]]:
    """Pairs of resource and verb in the table of rights."""
    table = re.search(r"<!-- rights -->\n(.*?)<!-- /rights -->", PAGE.read_text(), re.DOTALL)
    assert table is not None
    rows = [line.split("|")[1:3] for line in table[1].splitlines()[2:]]
    return {
        (resource, verb)
        for resources, verbs in rows
        for resource in re.findall(r"`([^`]+)`", resources)
        for verb in re.findall(r"`([^`]+)`", verbs)
    }


def test_the_table_of_rights_is_the_chart_s():
    roles = [item for kind in ("ClusterRole", "Role") for item in of_kind(kind, render())]
    rules = [rule for role in roles for rule in role["rules"]]
    granted = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert documented() == granted
