"""From a teacher to answers over HTTP: distil, serve, score, drive a burst, show what happened, stop."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from demo.distil import distil, show_accuracy
from demo.drive import burst, full_capacity, score
from demo.pool import ENSEMBLE, LocalPool, State, write_resources
from demo.promise import broken, title_of
from demo.rows import held_out
from phalanx_load import Report, Sample
from phalanx_load.report import encode, footer_of, table_of
from phalanx_load.report.plot import plot

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
        score(console, url, rows)
        console.rule("4  A burst: students drop, then come back")
        report = _burst(pool, console, url, rows)
        console.print(table_of(report))
        console.print(footer_of(report), highlight=False)
        last = _last_decision(pool.state())
    console.print(f"[dim]The operator's last word: {last}[/]")
    plot(report, OUT / "burst.png", title=title_of(report))
    (OUT / "burst.json").write_bytes(encode(report))
    console.rule("Done; everything is stopped")
    for path in (OUT / "burst.png", OUT / "burst.json", CACHE / "report", resources):
        console.print(f"  {path}")
    if problems := list(broken(report)):
        raise SystemExit(f"not as promised: {'; '.join(problems)} (see {OUT}/up.log)")


def _ready(pool: LocalPool, console: Console) -> str:
    def served(state: State) -> bool:
        return all(view["conditions"].get("Ready", {}).get("status") == "True" for view in state["ensembles"])

    with console.status("loading and measuring capacity"):
        state = pool.wait("the ensemble is Ready", served, deadline_s=120)
    url: str = state["pools"][0]["url"]
    console.print(f"{ENSEMBLE} is Ready at {url}")
    return url


def _burst(pool: LocalPool, console: Console, url: str, rows: Sequence[Sample]) -> Report:
    state = pool.state()
    assert state is not None
    worker = state["pools"][0]["pods"][0]["url"]
    full = full_capacity(worker, ensemble=ENSEMBLE, students=STUDENTS, texts=len(rows))
    console.print(
        f"with all {STUDENTS} students this worker computes about {full:.0f} texts/s; the burst sends twice that"
    )
    return burst(console, url, rows, full=full, objective_s=OBJECTIVE_S, seed=SEED)


def _last_decision(state: State | None) -> str:
    decision = state["ensembles"][0]["decision"] if state else {}
    return f"{decision.get('reason', 'nothing yet')}: {decision.get('message', '')}"


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m demo",
        description=f"{__doc__} It takes about 10 minutes the first time, and leaves plots and resources in {OUT}/.",
    ).parse_args()
    # Whoever ends it gets everything stopped, as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    main()
    sys.stdout.write(f"{(time.monotonic() - started) / 60:.1f} minutes\n")
