"""Find the cluster: the service account inside of a pod, or a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_operator.apply.api import KubeApi


async def connect() -> KubeApi:
    """Connect as kubectl would: `KUBECONFIG` or ~/.kube/config, else the pod's service account.

    Raises:
        kubernetes.aio.config.ConfigException: there is neither.
    """
    configuration = Configuration()
    if os.environ.get("KUBECONFIG") or (Path.home() / ".kube" / "config").exists():
        await config.load_kube_config(client_configuration=configuration)
    else:
        config.load_incluster_config(client_configuration=configuration)
    # Retries are the reconcile loop's: it tries again with what is true by then.
    configuration.retries = None
    return KubeApi(ApiClient(configuration))
