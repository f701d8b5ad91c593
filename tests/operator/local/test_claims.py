"""Claims of the files need folders on this machine, which is told before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from phalanx_operator.api.check import with_defaults
from phalanx_operator.local.claims import without_folder
from phalanx_operator.local.files import FilesError, Loaded
from phalanx_operator.local.state import StateDir
from phalanx_operator.local.up import Options, Up


def resource(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return with_defaults(kind, {"apiVersion": "phalanx.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


POOL = resource("ServingPool", "gpus", artifacts={"claims": ["models", "more"]})
DISTILLED = resource(
    "StudentEnsemble",
    "tickets",
    pool="gpus",
    distill={"teacher": "minilm", "data": "pvc://rows/a.jsonl", "output": "pvc://models/out", "work": "pvc://scratch"},
)


def test_every_claim_of_pools_and_distillations_is_named_with_its_field_and_the_option():
    faults = without_folder([POOL, DISTILLED], {"models"})
    assert [fault.split("there is no")[0] for fault in faults] == [
        "ServingPool gpus: spec.artifacts.claims: ",
        "StudentEnsemble tickets: spec.distill.data: ",
        "StudentEnsemble tickets: spec.distill.work: ",
    ]
    assert faults[0].endswith("there is no claim more here; name the folder that stands for it: --claim more=DIR")


def test_resources_without_claims_need_none():
    others = [resource("ServingPool", "bare"), {"kind": "Secret", "metadata": {"name": "key"}, "data": {}}]
    assert without_folder(others, ()) == []
    assert without_folder([POOL, DISTILLED], {"models", "more", "rows", "scratch"}) == []


async def test_up_refuses_a_claim_that_was_not_given_before_it_listens_or_starts_anything(tmp_path: Path):
    said: list[str] = []
    with StateDir(tmp_path / "state", keep_logs=False) as state:
        async with aiohttp.ClientSession() as session:
            options = Options(paths=[], state=state, port=0, claims={"models": tmp_path})
            up = Up(options, session, show=print, say=said.append)
            with pytest.raises(FilesError, match="--claim more=DIR"):
                await up.take(Loaded([POOL]))
            await up.close()
    assert said == []
