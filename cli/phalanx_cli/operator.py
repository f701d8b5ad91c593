"""`phalanx operator`: the operator in a cluster, or on a desk with a kubeconfig."""

from __future__ import annotations

import asyncio
import secrets
import socket
from importlib.metadata import version

import click

from phalanx_operator.api.types import Key


@click.command("operator")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    envvar="PHALANX_OPERATOR_NAMESPACES",
    help="Serve the resources of this namespace alone; may be given several times. Default: the whole cluster.",
)
@click.option(
    "--worker-image",
    envvar="PHALANX_WORKER_IMAGE",
    help="Image of the workers of pools that name none. Default: the one of this release.",
)
@click.option(
    "--require-image-digest",
    is_flag=True,
    envvar="PHALANX_REQUIRE_IMAGE_DIGEST",
    help="Refuse pools whose workers' image is not named by digest (NAME@sha256:...).",
)
@click.option(
    "--own-namespace",
    envvar="PHALANX_OWN_NAMESPACE",
    default="",
    help="Where this operator runs: network policies of pools let it through. Default: its labels, in any namespace.",
)
@click.option(
    "--lease",
    envvar="PHALANX_LEASE",
    metavar="NAMESPACE/NAME",
    help="The Lease that replicas share: its holder alone writes. Default: none, and this process is the only one.",
)
@click.option(
    "--identity",
    envvar="PHALANX_IDENTITY",
    help="Name of this replica in the Lease; no other process that runs may have it. Default: a new one at each start.",
)
@click.option("--host", envvar="PHALANX_HOST", default="0.0.0.0", show_default=True, help="Address of the health port.")  # noqa: S104
@click.option(
    "--port",
    envvar="PHALANX_PORT",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Port of /healthz, /readyz and /metrics.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="How much to log.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    envvar="PHALANX_LOG_FORMAT",
    default="text",
    show_default=True,
    help="Lines for people, or a JSON object a line: time, level, logger, message, and what it is about.",
)
def command(
    namespaces: tuple[str, ...],
    worker_image: str | None,
    require_image_digest: bool,
    own_namespace: str,
    lease: str | None,
    identity: str | None,
    host: str,
    port: int,
    log_level: str,
    log_format: str,
) -> None:
    """Run the operator: it serves ServingPools, StudentEnsembles and TenantAdapters.

    The cluster is found as kubectl finds it: KUBECONFIG, the pod's service account, or ~/.kube/config. Deleting
    resources never needs the operator: it sets no finalizers, and children go with their pool.
    """
    from kubernetes.aio.config import ConfigException

    from phalanx_operator import logs
    from phalanx_operator.handlers.operate import Options, operate

    logs.configure(level=log_level, as_json=log_format == "json")
    options = Options(
        worker_image=worker_image or f"phalanx-worker:{version('phalanx')}",
        namespaces=namespaces,
        own_namespace=own_namespace,
        image_by_digest=require_image_digest,
        host=host,
        port=port,
        lease=_lease(lease),
        identity=identity or f"{socket.gethostname()}_{secrets.token_hex(4)}",
    )
    try:
        asyncio.run(operate(options))
    except (ConfigException, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from error


def _lease(text: str | None) -> Key | None:
    """`NAMESPACE/NAME`."""
    if not text:
        return None
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise click.BadParameter(f"{text!r} is not NAMESPACE/NAME", param_hint="--lease")
    return Key(namespace, name)
