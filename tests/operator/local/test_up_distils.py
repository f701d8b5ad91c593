"""`phalanx up` runs a distillation as a local process, and serves what comes of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

pytest.importorskip("torch", reason="needs the worker's dependencies")

from tests.distill import tiny
from tests.operator.local.test_up import ROOT, Running, is_ready, resource

QUICK = {
    "teacher": {"fit": {"epochs": 1}, "least_steps": 0},
    "students": {"fit": {"epochs": 1}},
    "transfer": {"neighbours": 0},
    "ramps": {"fit": {"epochs": 1}},
    "max_tokens": 16,
}


def write(path: Path) -> None:
    pool = {
        "objective": {"p99": "5s"},
        "metrics": {"interval": "1s"},
        "artifacts": {"claims": ["models"]},
        "distillation": "Allowed",
    }
    distill = {
        "teacher": "pvc://models/teacher",
        "data": "pvc://models/rows.jsonl",
        "output": "pvc://models/results",
        "students": 2,
        "rows": 1,
        "settings": QUICK,
    }
    model = {"pool": "gpus", "distill": distill, "accuracy": {"loss": 1, "burstLoss": 1}}
    path.write_text(f"{resource('ServingPool', 'gpus', pool)}\n---\n{resource('StudentEnsemble', 'words', model)}")


async def test_a_teacher_and_rows_in_a_folder_are_served_after_a_while(tmp_path: Path):
    claim, folder = tmp_path / "models", tmp_path / "state"
    folder.mkdir()
    tiny.write_checkpoint(claim / "teacher")
    tiny.write_rows(claim / "rows.jsonl", tiny.rows(120))
    write(tmp_path / "pool.yaml")
    path = os.pathsep.join(str(ROOT / part) for part in ("contract", "operator", "worker", "cli"))
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "phalanx_cli", "up", "pool.yaml", "--port", "0", "--state-dir", "state"),
            *("--claim", f"models={claim}"),
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=said,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        async with aiohttp.ClientSession() as session:
            running = Running(process, folder, session)
            await running.until(is_ready)
            status, answer, headers = await running.predict([["the cat is near"]])
        assert status == 200, answer
        assert answer[0][0]["label"] in tiny.CLUES
        assert headers["X-Phalanx-Students"] == "2"
        assert "ResultReady: 2 students of 1 rows" in (folder / "said").read_text()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
