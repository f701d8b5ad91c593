"""What the volumes of a pod show, read from the API as a kubelet does."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from phalanx_operator.local.volumes import Contents, VolumeError
from tests.e2e.kube import Kube, Object

TOKEN_DIR: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_VOLUME: Final = "service-account"
_TOKEN_LIFETIME_S: Final = 3600


async def contents_of(kube: Kube, pod: Object, token_files: dict[str, bytes]) -> Contents:
    """ConfigMaps, Secrets and claims that the pod refers to; those that do not exist are left out."""
    base = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
    config_maps, secrets, claims = {}, {TOKEN_VOLUME: token_files}, {}
    for kind, name in sorted(set(_references(pod))):
        if kind == "claim":
            claims[name] = await _claim_folder(kube, base, name)
        elif (found := await kube.find(f"{base}/{kind}/{name}")) is not None:
            (config_maps if kind == "configmaps" else secrets)[name] = _files(kind, found)
    return Contents(config_maps=config_maps, secrets=secrets, claims=claims)


async def service_account_files(kube: Kube, pod: Object) -> dict[str, bytes]:
    """A token for exactly the pod's service account, bound to the pod, and a kubeconfig that uses it.

    A process cannot have the well-known absolute path, so `with_service_account` points KUBECONFIG here: the
    program in the pod then has the rights of its service account and no others.
    """
    metadata = pod["metadata"]
    base = f"/api/v1/namespaces/{metadata['namespace']}"
    account = pod["spec"].get("serviceAccountName", "default")
    bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [], "expirationSeconds": _TOKEN_LIFETIME_S, "boundObjectRef": bound},
    }
    answer = await kube.create(f"{base}/serviceaccounts/{account}/token", request)
    token = answer["status"]["token"]
    cluster = {"server": kube.server, "certificate-authority-data": base64.b64encode(kube.ca).decode()}
    context = {"cluster": "in", "user": account, "namespace": metadata["namespace"]}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "in", "cluster": cluster}],
        "users": [{"name": account, "user": {"token": token}}],
        "contexts": [{"name": "in", "context": context}],
        "current-context": "in",
    }
    return {
        "token": token.encode(),
        "ca.crt": kube.ca,
        "namespace": metadata["namespace"].encode(),
        "kubeconfig": yaml.safe_dump(document).encode(),
    }


def wants_token(pod: Object, account: Object | None) -> bool:
    """The pod's own word on `automountServiceAccountToken` first, then its account's; the default is yes."""
    own = pod["spec"].get("automountServiceAccountToken")
    inherited = (account or {}).get("automountServiceAccountToken")
    return bool(own if own is not None else inherited if inherited is not None else True)


def with_service_account(pod: Object, *, wanted: bool) -> Object:
    """The pod with its token volume as this node makes it, or with none.

    The volume that the API server's admission adds (a Secret in old releases, a projection in new ones) is
    replaced.
    """
    spec = pod["spec"]
    mounted = {mount["name"] for mount in _mounts(spec) if mount["mountPath"] == TOKEN_DIR}
    volumes = [volume for volume in spec.get("volumes", []) if volume["name"] not in mounted]
    containers = []
    for container in spec["containers"]:
        mounts = [mount for mount in container.get("volumeMounts", []) if mount["name"] not in mounted]
        env = container.get("env", [])
        if wanted:
            mounts = [*mounts, {"name": TOKEN_VOLUME, "mountPath": TOKEN_DIR}]
            env = [*env, {"name": "KUBECONFIG", "value": f"{TOKEN_DIR}/kubeconfig"}]
        containers.append(container | {"volumeMounts": mounts, "env": env})
    if wanted:
        volumes = [*volumes, {"name": TOKEN_VOLUME, "secret": {"secretName": TOKEN_VOLUME}}]
    return pod | {"spec": spec | {"volumes": volumes, "containers": containers}}


def _mounts(spec: Object) -> Iterator[Object]:
    for container in spec["containers"]:
        yield from container.get("volumeMounts", [])


def _references(pod: Object) -> Iterator[tuple[str, str]]:
    for container in pod["spec"]["containers"]:
        for entry in container.get("env", []):
            source = entry.get("valueFrom", {})
            if "configMapKeyRef" in source:
                yield "configmaps", source["configMapKeyRef"]["name"]
            if "secretKeyRef" in source:
                yield "secrets", source["secretKeyRef"]["name"]
    for volume in pod["spec"].get("volumes", []):
        if "persistentVolumeClaim" in volume:
            yield "claim", volume["persistentVolumeClaim"]["claimName"]
        for source in volume.get("projected", {}).get("sources", [volume]):
            if "configMap" in source:
                yield "configmaps", source["configMap"]["name"]
            elif "secret" in source and volume["name"] != TOKEN_VOLUME:
                yield "secrets", source["secret"].get("secretName") or source["secret"]["name"]


def _files(kind: str, found: Object) -> dict[str, bytes]:
    binary = found.get("binaryData" if kind == "configmaps" else "data") or {}
    files = {name: base64.b64decode(text) for name, text in binary.items()}
    if kind == "configmaps":
        files |= {name: text.encode() for name, text in (found.get("data") or {}).items()}
    return files


async def _claim_folder(kube: Kube, base: str, name: str) -> Path:
    """The folder of the volume that a claim is bound to (`hostPath` only)."""
    claim = await kube.find(f"{base}/persistentvolumeclaims/{name}")
    volume = (claim or {}).get("spec", {}).get("volumeName")
    if not volume:
        raise VolumeError(f"claim {name} is not bound")
    found = await kube.get(f"/api/v1/persistentvolumes/{volume}")
    return Path(found["spec"]["hostPath"]["path"])
