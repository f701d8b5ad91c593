"""The one command. Sub-commands are imported when they are called: `phalanx up` must not load torch."""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from phalanx_cli.exit_codes import INTERRUPTED

COMMANDS: Final = {
    "adapt": ("phalanx_cli.adapt", "Train a tenant's adapter on top of an ensemble's artifact."),
    "bench": ("phalanx_cli.bench", "Measure a running server."),
    "distill": ("phalanx_cli.distill", "Distil a teacher into an ensemble of students."),
    "distill-job": ("phalanx_cli.distill_job", "Run one distillation for a Kubernetes Job (the operator starts it)."),
    "import": ("phalanx_cli.import_", "Turn an encoder checkpoint into an artifact with one student."),
    "inspect": ("phalanx_cli.inspect", "Show what an artifact holds and check every byte of it."),
    "operator": ("phalanx_cli.operator", "Run the operator against a cluster."),
    "serve": ("phalanx_cli.serve", "Run one worker."),
    "simulate": (
        "phalanx_cli.simulate",
        "Replay arrivals through the operator's decisions and through baselines.",
    ),
    "top": ("phalanx_cli.top", "Watch what a `phalanx up` or a cluster does."),
    "up": ("phalanx_cli.up", "Serve resources from YAML files on this machine, with no cluster."),
    "verify": ("phalanx_cli.verify", "Write or check the files that are generated from the code (CRDs)."),
}


class _Lazy(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Ctrl-C ends every command in the same way, also while its modules are imported."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="phalanx")
def main() -> None:
    """Phalanx: BERT-class encoders from Kubernetes GPU pools, at the lowest latency."""
