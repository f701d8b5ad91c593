"""Commands for kubectl in pages, messages and alerts are ones that kubectl takes."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.binaries import REPOSITORY, need

SOURCES = [
    *REPOSITORY.glob("docs/*.md"), REPOSITORY / "README.md", *REPOSITORY.glob("examples/*.yaml"),
    *REPOSITORY.glob("operator/phalanx_operator/[!m]*/**/*.py"),  # what monitoring/ says is docs/alerts.md
]  # fmt: skip
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SUBSTITUTED = re.compile(r"\$\((?!kubectl)[^)]*\)")
"""What another program puts into a command."""
_LINE = re.compile(r"(?:^|[|&(] *|\$ )(kubectl [^|#&)\n]+)", re.MULTILINE)
_SPAN = re.compile(r"`(kubectl [^`\n]+)`")
_IN_ALERTS = re.compile(r": (kubectl [^;\n\"]+)$", re.MULTILINE)
_PLUGIN = "kubectl phalanx"


def commands(text: str) -> set[str]:
    """Every whole command of a page: in fenced blocks, between backticks, and at the end of an alert's sentence."""
    blocks = _SUBSTITUTED.sub("x", "\n".join(_FENCED.findall(text)).replace("\\\n", " "))
    found = {*_LINE.findall(blocks), *_SPAN.findall(text), *_IN_ALERTS.findall(text)}
    return {" ".join(line.partition(" | ")[0].split()) for line in found if not line.startswith(_PLUGIN)}


def refused(command: str) -> str:
    """kubectl's words about flags that it does not have; empty if it has all of them. Nothing is asked of a cluster."""
    program = need("kubectl", "run `make tools`")
    _, *words = shlex.split(re.sub(r"\{\{.*?\}\}", "x", command).replace(" ...", ""))
    # What follows `--` is another program's.
    own = words[: words.index("--")] if "--" in words else words
    done = subprocess.run([program, *own, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[0]


def test_commands_in_pages_examples_and_messages_have_only_flags_that_kubectl_has() -> None:
    found = set().union(*(commands(source.read_text()) for source in SOURCES))
    assert len(found) > 30
    assert {command: words for command in sorted(found) if (words := refused(command))} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```sh\nkubectl get ens -w   # why\n```\n", {"kubectl get ens -w"}),
        ("```sh\nkubectl phalanx status\nsed x a.yaml | kubectl apply -f -\n```\n", {"kubectl apply -f -"}),
        ('```sh\nkubectl create -f $(x y) -n "$(z)"\n```\n', {'kubectl create -f x -n "x"'}),
        ("see `kubectl logs POD --previous | tail -1` and\n", {"kubectl logs POD --previous"}),
        ("Their log says why: kubectl logs -A\n", {"kubectl logs -A"}),
    ],
)
def test_commands_are_found_where_pages_have_them(text: str, found: set[str]) -> None:
    assert commands(text) == found


def test_a_flag_that_kubectl_does_not_have_is_found() -> None:
    assert "unknown shorthand flag: 'A'" in refused("kubectl logs -A -l app=x")
    assert "unknown flag: --from" in refused("kubectl scale pool gpus --from=2")
