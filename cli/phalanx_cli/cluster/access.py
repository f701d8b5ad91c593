"""kubectl's options, and what they lead to."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from phalanx_operator.apply.api import ApiError, KubeApi

T = TypeVar("T")
Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Where:
    """What the options say. `namespace` None: the context's own, or all with `everywhere`."""

    namespace: str | None = None
    everywhere: bool = False
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def given(self) -> bool:
        """Whether any option was given: then a cluster is meant."""
        return self != Where()


@dataclass(frozen=True, slots=True)
class Place:
    """A connection, and the namespace to work in; None for all."""

    api: KubeApi
    namespace: str | None

    @property
    def title(self) -> str:
        """What is looked at, in a line."""
        where = "all namespaces" if self.namespace is None else f"namespace {self.namespace}"
        return f"cluster {self.api.host}, {where}"


_OPTIONS = (
    click.option("--namespace", "-n", help="Namespace. Default: the context's."),
    click.option("--context", help="Context of the kubeconfig."),
    click.option(
        "--kubeconfig", type=click.Path(exists=True, dir_okay=False), help="Default: KUBECONFIG, then ~/.kube/config."
    ),
)


def kube_options(*, everywhere: bool) -> Callable[[Command], Command]:
    """Give a command kubectl's options; it gets them as `where`. `everywhere` adds --all-namespaces."""

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def wrapped(
            *args: Any, namespace: str | None, context: str | None, kubeconfig: str | None, **kwargs: Any
        ) -> Any:
            where = Where(namespace, kwargs.pop("all_namespaces", False), context, kubeconfig)
            return function(*args, where=where, **kwargs)

        command: Command = wrapped
        for option in reversed(_OPTIONS):
            command = option(command)
        if everywhere:
            command = click.option("--all-namespaces", "-A", is_flag=True, help="All namespaces.")(command)
        return command

    return decorate


def with_cluster(where: Where, work: Callable[[Place], Awaitable[T]]) -> T:
    """Connect, do the work, close. Whatever goes wrong with the cluster ends the command with one line.

    Raises:
        click.ClickException: with the next step.
    """
    from kubernetes.aio.config import ConfigException

    from phalanx_operator.apply.connect import connect_as

    async def run() -> T:
        api, namespace = await connect_as(kubeconfig=where.kubeconfig, context=where.context)
        try:
            return await work(Place(api, None if where.everywhere else where.namespace or namespace))
        finally:
            await api.close()

    try:
        return asyncio.run(run())
    except ConfigException as error:
        raise click.ClickException(f"{_one_line(error)}; name a cluster with --kubeconfig or --context") from error
    except ApiError as error:
        raise click.ClickException(said(error)) from error


def said(error: ApiError) -> str:
    """An API server's refusal in one line with the next step."""
    text = _one_line(error)
    if error.status == 0:
        return f"the API server does not answer ({text}); check --context, and that kubectl reaches it"
    if error.status == 401:
        return f"the API server does not know you ({text}); log in again"
    if error.status == 403:
        return f"{text}; ask your administrator for that right"
    if error.gone and "/phalanx.dev/" in text and text.endswith(("HTTP 404", "could not find the requested resource")):
        return "this cluster has no ServingPools: install the chart helm/phalanx-operator, or choose another --context"
    return text


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
