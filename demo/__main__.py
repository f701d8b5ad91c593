"""From a teacher to answers over HTTP: distil, serve, score, drive a burst, show what happened, stop."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from demo.distil import distil, show_accuracy
from demo.load import Answer, Phase, Row, drive, score
from demo.pool import ENSEMBLE, LocalPool, State, write_resources
from demo.report import phase_rows, plot_burst, show_phases
from demo.rows import held_out
from phalanx_contract import metrics

TEACHER, DATA, STUDENTS = "minilm", "trec6", 4
OBJECTIVE_S = 0.15
BURST_LOSS = 0.15
"""Generous, so that the demo shows every number of students."""
CACHE = Path(".cache") / "demo" / f"{TEACHER}-{DATA}-{STUDENTS}"
OUT = Path("demo-out")
SEED = 0


def main() -> None:
    """Run the demo; exits with 1 and a sentence if something is not as promised."""
    console = Console()
    OUT.mkdir(exist_ok=True)
    rows = held_out(DATA)
    console.rule(f"1  Distil {TEACHER} into {STUDENTS} students on {DATA}")
    distil(CACHE, teacher=TEACHER, data=DATA, students=STUDENTS)
    digest = show_accuracy(console, CACHE)
    resources = OUT / "demo.yaml"
    write_resources(resources, artifact=CACHE, digest=digest, objective_s=OBJECTIVE_S, burst_loss=BURST_LOSS)

    console.rule(f"2  Serve it here: phalanx up {resources}")
    with LocalPool(resources, OUT) as pool:
        url = _ready(pool, console)
        console.rule("3  Score held-out texts over HTTP")
        correct = _score(console, url, rows)
        console.rule("4  A burst: students drop, then come back")
        answers, phases = _burst(pool, console, url, rows)
        lines = phase_rows(answers, phases)
        show_phases(console, lines)
        last = _last_decision(pool.state())
    console.print(f"[dim]The operator's last word: {last}[/]")
    plot_burst(OUT / "burst.png", answers, phases, objective_s=OBJECTIVE_S, full=STUDENTS)
    summary = {"held_out_accuracy_over_http": correct, "phases": lines}
    (OUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    console.rule("Done; everything is stopped")
    for path in (OUT / "burst.png", OUT / "summary.json", CACHE / "report", resources):
        console.print(f"  {path}")
    _check(lines)


def _ready(pool: LocalPool, console: Console) -> str:
    def served(state: State) -> bool:
        return all(view["conditions"].get("Ready", {}).get("status") == "True" for view in state["ensembles"])

    with console.status("loading and measuring capacity"):
        state = pool.wait("the ensemble is Ready", served, deadline_s=120)
    url: str = state["pools"][0]["url"]
    console.print(f"{ENSEMBLE} is Ready at {url}")
    return url


def _score(console: Console, url: str, rows: Sequence[Row]) -> float:
    with _Bar(console, "texts") as tick:
        answers = asyncio.run(score(url, rows, concurrency=8, tick=tick))
    failed = [answer.status for answer in answers if answer.status != 200]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(answers)} texts were not answered: status {sorted(set(failed))}")
    correct = sum(answer.correct for answer in answers) / len(answers)
    early = sum(answer.exit_row != "final" for answer in answers) / len(answers)
    console.print(f"accuracy over HTTP {correct:.3f} on {len(rows)} held-out texts; {early:.1%} left at a ramp")
    return correct


def _burst(pool: LocalPool, console: Console, url: str, rows: Sequence[Row]) -> tuple[list[Answer], tuple[Phase, ...]]:
    """Load in proportion to what this machine's worker measured for all students."""
    full = _capacity_texts(pool, url, rows)
    console.print(
        f"with all {STUDENTS} students this worker computes about {full:.0f} texts/s; the burst sends twice that"
    )
    phases = (
        Phase(name="calm", seconds=8, rate=0.35 * full),
        Phase(name="burst", seconds=10, rate=2.0 * full),
        Phase(name="after", seconds=30, rate=0.35 * full),
    )
    with _Bar(console, "texts") as tick:
        answers = asyncio.run(drive(url, rows, phases, seed=SEED, tick=tick))
    return answers, phases


def _capacity_texts(pool: LocalPool, url: str, rows: Sequence[Row]) -> float:
    """Texts a second with all students: the worker's capacity in tokens over the mean tokens of a text."""
    state = pool.state()
    assert state is not None
    worker = state["pools"][0]["pods"][0]["url"]
    with urllib.request.urlopen(f"{worker}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    wanted = f'{metrics.CAPACITY.exposed}{{ensemble="{ENSEMBLE}",students="{STUDENTS}"}}'
    capacity = next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))
    tokens = next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{metrics.TOKENS.exposed}{{"))
    return capacity / (tokens / len(rows))


def _last_decision(state: State | None) -> str:
    decision = state["ensembles"][0]["decision"] if state else {}
    return f"{decision.get('reason', 'nothing yet')}: {decision.get('message', '')}"


def _check(lines: Sequence[dict[str, float | str]]) -> None:
    """The demo promises that students drop in the burst and come back, and that nothing is lost."""
    calm, burst, after = lines
    problems = []
    if any(line["failed"] for line in lines):
        problems.append("requests failed")
    if not float(burst["students_mean"]) < float(calm["students_mean"]):
        problems.append("students did not drop in the burst")
    if not float(after["students_mean"]) > float(burst["students_mean"]):
        problems.append("students did not come back")
    if problems:
        raise SystemExit(f"not as promised: {'; '.join(problems)} (see {OUT}/up.log)")


class _Bar:
    """A progress bar on a terminal; silent elsewhere. Gives `tick(done, total)`."""

    def __init__(self, console: Console, unit: str) -> None:
        columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)

    def __enter__(self) -> Callable[[int, int], None]:
        self._progress.start()
        task = self._progress.add_task("")
        return lambda done, total: self._progress.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


if __name__ == "__main__":
    started = time.monotonic()
    main()
    sys.stdout.write(f"{(time.monotonic() - started) / 60:.1f} minutes\n")
