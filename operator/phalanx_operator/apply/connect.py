"""Find the cluster: the service account inside of a pod, or a kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_operator.apply.api import KubeApi

_DAMAGE: Final = (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError)
"""What the loader stumbles over in a file that is no kubeconfig, or in its certificates."""
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def connect() -> ApiClient:
    """Connect as kubectl would: `KUBECONFIG` or ~/.kube/config, else the pod's service account. The caller closes it.

    Raises:
        kubernetes.aio.config.ConfigException: there is neither, or it cannot be read.
    """
    configuration = Configuration()
    # `KubeApi` tries again itself: it asks the fence each time, and hears what the server says about when.
    configuration.retries = None
    with _one_error(_source() if _has_kubeconfig() else "the pod's service account"):
        if _has_kubeconfig():
            await config.load_kube_config(client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
        return ApiClient(configuration)


async def connect_as(*, kubeconfig: str | None = None, context: str | None = None) -> tuple[KubeApi, str]:
    """Connect as a person does with kubectl's options; returns the namespace of the context, too.

    Raises:
        kubernetes.aio.config.ConfigException: there is no configuration, no such context in it, or it cannot be read.
    """
    configuration = Configuration()
    configuration.retries = None
    own = "" if kubeconfig or context or _has_kubeconfig() else _own_namespace()
    if own:
        config.load_incluster_config(client_configuration=configuration)
        return KubeApi(ApiClient(configuration)), own
    with _one_error(kubeconfig or _source()):
        loader = await config.load_kube_config(kubeconfig, context, client_configuration=configuration)
        chosen = loader.current_context["context"]
        return KubeApi(ApiClient(configuration)), chosen.get("namespace") or "default"


@contextmanager
def _one_error(source: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise config.ConfigException(f"{source} cannot be used: {error}") from error


def _source() -> str:
    """The kubeconfig where no option names one."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def _has_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or Path(_source()).exists()


def _own_namespace() -> str:
    """The namespace of the pod that this runs in; empty outside of one."""
    return _OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else ""
