"""`phalanx distill-job`: what a distillation Job's pod runs; its variables come from the operator."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from phalanx_cli.training import prepare_threads
from phalanx_contract.distillation import ENV_ENDING, ENV_TASK, Ending, parse_task
from phalanx_contract.errors import FieldError
from phalanx_contract.runtime import CLAIMS_DIR, ENV_CLAIMS_DIR, ENV_DEVICE, ENV_HOST, ENV_PORT, HTTP_PORT

TERMINATED = 143
"""Exit code after SIGTERM, as shells have it. Evicted pods end so; the next one goes on from the snapshots."""


@click.command()
def command() -> None:
    """Do the distillation that the variable PHALANX_DISTILL_TASK holds as JSON.

    The operator runs this for a StudentEnsemble with spec.distill; for yourself, use `phalanx distill`. Progress is
    answered on PHALANX_PORT; the outcome is written to PHALANX_TERMINATION_LOG.
    """
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    prepare_threads()
    from rich.console import Console

    from phalanx_distill.job.run import ending_of, run
    from phalanx_distill.job.telling import Telling, answering, end
    from phalanx_distill.progress import Lines

    path = Path(os.environ[ENV_ENDING]) if ENV_ENDING in os.environ else None
    telling = Telling(Lines(Console()))
    try:
        task = parse_task(os.environ.get(ENV_TASK, ""))
    except FieldError as error:
        raise click.UsageError(f"{ENV_TASK}: {error}") from error
    host, port = os.environ.get(ENV_HOST, "127.0.0.1"), int(os.environ.get(ENV_PORT, HTTP_PORT))
    try:
        with answering(telling, host=host, port=port):
            claims = Path(os.environ.get(ENV_CLAIMS_DIR, CLAIMS_DIR))
            outcome = run(task, claims_dir=claims, device=os.environ.get(ENV_DEVICE, "auto"), report=telling)
    except Exception as error:
        ending, code = ending_of(error)
        end(path, ending)
        click.echo(f"Error: {ending.error}", err=True)
        sys.exit(code)
    end(path, Ending(outcome=outcome))
    click.echo(f"{outcome.uri}  {outcome.digest}")
