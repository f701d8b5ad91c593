"""What the training commands share: options, threads, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import yaml

from phalanx_cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

NO_MEMORY: Final = (
    "no memory is left; free some and give the same command again, or take smaller batches (--set ...fit.batch_rows=N)"
    " or fewer tokens (--set max_tokens=N)"
)


def data_options(function: F) -> F:
    """--data and the names of its columns."""
    for option in reversed(
        (
            click.option(
                "--data",
                required=True,
                metavar="NAME|FILE",
                help="trec6, trec50, movie, amazon, tweets, tweet-sentiment, nyt, sms, or a .jsonl or .csv file.",
            ),
            click.option("--text-column", default="text", metavar="NAME", help="The column that holds the text."),
            click.option("--label-column", default="label", metavar="NAME", help="The column that holds the label."),
        )
    ):
        function = option(function)
    return function


def run_options(function: F) -> F:
    """Where the result goes and how the run is done."""
    for option in reversed(
        (
            click.option(
                "--out",
                required=True,
                metavar="DIR",
                type=click.Path(path_type=Path),
                help="The artifact's folder. DIR.work beside it keeps what an interrupted run has done.",
            ),
            click.option("--seed", type=click.IntRange(0), help="Seeds all randomness.  [default: 0]"),
            click.option("--device", default="auto", metavar="auto|cpu|cuda", help="Where to train."),
            click.option(
                "--precision",
                default="auto",
                metavar="auto|fp32|bf16",
                help="Of products of matrices; auto is bf16 where the device has it in hardware.",
            ),
            click.option(
                "--settings",
                "settings_file",
                metavar="FILE",
                type=click.Path(dir_okay=False, path_type=Path),
                help="A YAML file of settings; --set and the options above overrule it.",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="NAME=VALUE",
                help="Any other setting by its path, such as split.test_share=0.3; may be given many times.",
            ),
            click.option("--force", is_flag=True, help="Replace another artifact that --out holds."),
            click.option("--keep-work", is_flag=True, help="Leave DIR.work after success."),
        )
    ):
        function = option(function)
    return function


def merged(texts: tuple[str, ...], options: Mapping[str, object], file: Path | None = None) -> dict[str, Any]:
    """Nested settings from a YAML file, from `path=value` texts and from options by path, the later ones first.

    Options that are None do not count. A value is a text, a list of texts parted by commas, or YAML in brackets.

    Raises:
        click.UsageError: a text without `=` or without a path, or what should be YAML and is not.
    """
    nested: dict[str, Any] = {} if file is None else _read(file)
    for text in texts:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise click.UsageError(f"--set {text}: write NAME=VALUE, such as split.test_share=0.3")
        _put(nested, path, _value(text, value))
    for path, chosen in options.items():
        if chosen is not None:
            _put(nested, path, chosen)
    return nested


def _value(text: str, value: str) -> object:
    if value.startswith(("[", "{")):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise click.UsageError(f"--set {text}: not YAML: {' '.join(str(error).split())}") from error
    return [part for part in value.split(",") if part] if "," in value else value


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text())
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise click.UsageError(f"{file}: settings are a mapping, such as students: {{count: 4}}")
    return found


def _put(nested: dict[str, Any], path: str, value: object) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        nested = nested.setdefault(parent, {})
        if not isinstance(nested, dict):
            raise click.UsageError(f"{path}: {parent} was given a value already, and is no section")
    nested[leaf] = value


def prepare_threads() -> None:
    """Let idle threads sleep. It has to be said before torch is loaded; busy waiting costs half of a busy machine."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def leave_cleanly() -> Iterator[Console]:
    """A console for the command; refusals and a disk's errors become one line and exit code 1, Ctrl-C code 130."""
    from rich.console import Console
    from safetensors import SafetensorError

    from phalanx_distill.errors import DistillError
    from phalanx_grid import GridError

    try:
        yield Console()
    except (DistillError, GridError) as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    except (MemoryError, RuntimeError) as error:
        if (
            not isinstance(error, MemoryError) and type(error).__name__ != "OutOfMemoryError"
        ):  # torch's, not loaded here
            raise
        raise click.ClickException(NO_MEMORY) from error
    except BrokenPipeError:
        raise  # nobody reads on: click ends without a word
    except (OSError, SafetensorError) as error:
        said = " ".join(str(error).split())
        raise click.ClickException(f"{said}; once that is mended, give the same command again") from error
    except KeyboardInterrupt:
        click.echo("interrupted; give the same command again to go on", err=True)
        sys.exit(INTERRUPTED)
