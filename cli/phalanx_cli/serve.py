"""`phalanx serve`: one worker."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from phalanx_contract.errors import ContractError
from phalanx_contract.runtime import ENV_CACHE_DIR, ENV_DRAIN_LAG_S

log = logging.getLogger(__name__)

BY_HAND = {ENV_DRAIN_LAG_S: "1"}
"""With --artifact: a worker that no cluster routes to need not wait for routers when it ends."""
ALONE = ("name", "objective", "students_min", "students_max")
"""Options that say what a plan says otherwise."""
LEVELS = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False)


@click.command("serve")
@click.option("--artifact", type=click.Path(path_type=Path), help="Serve this artifact's folder, with no plan.")
@click.option("--name", default="default", show_default=True, help="Name of the model, with --artifact.")
@click.option("--objective", type=float, default=None, help="Latency objective in seconds, with --artifact.")
@click.option("--students-min", type=click.IntRange(1), default=1, help="Fewest students in a burst, with --artifact.")
@click.option("--students-max", type=click.IntRange(1), help="Most students, with --artifact.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.")
@click.option("--plan-dir", help="Folder with the plan's files.")
@click.option("--claims-dir", help="Folder in which claims are mounted.")
@click.option("--cache-dir", help="Folder for local copies of artifacts.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@click.option("--dtype", type=click.Choice(["auto", "fp32", "bf16"]), help="Number format of the weights.")
@click.option("--threads", type=int, help="CPU threads of a forward pass; 0 takes all cores.")
@click.option("--set", "more", multiple=True, metavar="NAME=VALUE", help="Any other setting of the worker.")
@click.option("--log-level", type=LEVELS, default="INFO", show_default=True, help="How much to log.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    artifact: Path | None,
    name: str,
    objective: float | None,
    students_min: int,
    students_max: int | None,
    more: tuple[str, ...],
    log_level: str,
    **options: str | int | None,
) -> None:
    """Run one worker: serve the plan in a folder, or with --artifact a single model."""
    _check_together(ctx, artifact)
    extra: dict[str, object] = {**_settings(more)}
    logging.basicConfig(level=log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Before torch loads its threads: spinning ones starve tokenizer and event loop on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # One request's texts stay on one tokenizer thread: more would take the cores from the engine.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from phalanx_grid import GridError
    from phalanx_server.run import run
    from phalanx_server.settings import read_settings
    from phalanx_server.standalone import OBJECTIVE_S, cut_between, standalone_plan

    extra |= {option: value for option, value in options.items() if value is not None}
    environ = dict(os.environ)
    if artifact is not None:
        environ = {ENV_CACHE_DIR: str(_user_cache()), **BY_HAND, **environ}
    try:
        settings = read_settings(environ, **extra)
        objective_s = OBJECTIVE_S if objective is None else objective
        plan = None
        if artifact is not None:
            cut = cut_between(students_min, students_max)
            plan = standalone_plan(artifact, name=name, objective_s=objective_s, cut=cut)
        else:
            log.info("the plan is read from %s once it is there; --artifact serves without one", settings.plan_dir)
        code = asyncio.run(run(settings, plan=plan, announce=lambda url: click.echo(f"serving on {url}")))
    except (ContractError, GridError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.flush()
    logging.shutdown()
    # A loader thread may hang in a dead store's download; a normal exit would wait for it.
    os._exit(code)


def _check_together(ctx: click.Context, artifact: Path | None) -> None:
    """Refuse what would be ignored: a plan has models, names and objectives of its own."""
    if artifact is not None and ctx.get_parameter_source("plan_dir") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--plan-dir: with --artifact no plan is read; give one of them")
    for parameter in ALONE if artifact is None else ():
        if ctx.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            option = f"--{parameter.replace('_', '-')}"
            raise click.UsageError(f"{option} goes with --artifact: without it the plan says what is served")


def _settings(texts: tuple[str, ...]) -> dict[str, str]:
    """Settings by name, of `NAME=VALUE` texts."""
    for text in texts:
        name, equals, _ = text.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--set {text}: write NAME=VALUE, such as batch_texts=32")
    return dict(text.split("=", 1) for text in texts)


def _user_cache() -> Path:
    """Where a single user's workers keep artifacts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phalanx"
