"""`phalanx up`: serve YAML files on this machine."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import aiohttp
import click

from phalanx_cli.show import Lines, Screen
from phalanx_operator.local.files import FilesError
from phalanx_operator.local.state import StateDir, StateDirError, default_state_dir
from phalanx_operator.local.up import Options, Up


@click.command("up")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder for state and logs, which are then kept.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of the first pool; further pools take the next ones. 0 takes free ports.",
)
@click.option("--watch/--no-watch", default=True, show_default=True, help="Read the files again when they change.")
@click.option(
    "--claim", "claims", multiple=True, metavar="NAME=DIR", help="Folder that stands for a PersistentVolumeClaim."
)
@click.option(
    "--json-status", type=click.Path(path_type=Path), help="Also write the state, as JSON, to this file each second."
)
@click.option("--plain", is_flag=True, help="Print lines even on a terminal.")
def command(
    files: tuple[Path, ...],
    state_dir: Path | None,
    port: int,
    watch: bool,
    claims: tuple[str, ...],
    json_status: Path | None,
    plain: bool,
) -> None:
    """Serve the ServingPools, StudentEnsembles and TenantAdapters of FILES with local processes.

    The same schemas, decisions and manifests as in a cluster; no cluster and no Docker. Artifacts are named by
    file:///ABSOLUTE/PATH, file://./PATH from the folder of the YAML file, or pvc://NAME/PATH with --claim NAME=DIR.
    Secrets in the files serve as API keys.
    Ctrl-C drains the workers and leaves nothing behind; a second Ctrl-C does not wait.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # Events are shown as lines or notes already.
    logging.getLogger("phalanx_operator.reconcile.reporting").setLevel(logging.ERROR)
    live = sys.stdout.isatty() and not plain
    try:
        with StateDir(state_dir or default_state_dir(), keep_logs=state_dir is not None) as state:
            options = Options(
                paths=files, state=state, port=port, watch=watch, claims=_claims(claims), status_copy=json_status
            )
            asyncio.run(_serve(options, live=live))
    except (FilesError, StateDirError, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(options: Options, *, live: bool) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def interrupted() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted)
    async with aiohttp.ClientSession() as session:
        with Screen() if live else Lines() as output:
            up = Up(options, session, show=output.show, say=output.say)
            try:
                await up.run(stop)
            finally:
                output.say("stopping")
                await _close(up, hurry)


async def _close(up: Up, hurry: asyncio.Event) -> None:
    """Drain the workers. Once `hurry` is set, do not wait: what still runs is killed when the event loop ends."""
    draining = asyncio.create_task(up.close())
    waiting = asyncio.create_task(hurry.wait())
    await asyncio.wait({draining, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
    waiting.cancel()
    await asyncio.gather(draining, waiting, return_exceptions=True)


def _claims(texts: tuple[str, ...]) -> dict[str, Path]:
    """`NAME=DIR` as a mapping. Raises click.BadParameter."""
    claims = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if not (name and folder and Path(folder).is_dir()):
            raise click.BadParameter(f"{text!r} is not NAME=DIR with a folder that exists", param_hint="--claim")
        claims[name] = Path(folder)
    return claims
