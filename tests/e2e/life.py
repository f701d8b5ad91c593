"""A whole life under the operator: everything that takes a right of its role happens once, with secrets about."""

from __future__ import annotations

import base64
import gzip
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from tests.e2e import resources
from tests.e2e.artifacts import make_ensemble, make_tenant
from tests.e2e.kube import Object, path_of
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually
from tests.operator.observe.servers import Certificates, serving, vector

POOL, MODEL, DISTILLED, TENANT, SECRET = "lived", "sentiment", "distilled", "acme", "acme-key"
API_KEY: Final = "key-Zq7TuLpW3vXc9RbN5sJd"
STORE_TOKEN: Final = "token-Hy2MfKe8QwPa6GtVxS4o"
PROMETHEUS_TOKEN: Final = "bearer-Rk4XnJd7YbLq2ZsWm9Tc"
SECRETS: Final = (API_KEY, STORE_TOKEN, PROMETHEUS_TOKEN)
"""Values that occur nowhere else, so that they can be looked for."""
_KINDS: Final = (
    "/api/v1/{}/configmaps",
    "/api/v1/{}/pods",
    "/api/v1/{}/events",
    "/apis/apps/v1/{}/deployments",
    *(f"/apis/phalanx.dev/v1alpha1/{{}}/{plural}" for plural in ("servingpools", "studentensembles", "tenantadapters")),
)


@dataclass(slots=True)
class Written:
    """What could be read of a namespace at several moments: objects by plural, and plans as the workers see them."""

    objects: dict[str, list[Object]] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)

    async def look(self, scene: Scene) -> None:
        """Take down all that there is now, but for the Secrets themselves."""
        for path in _KINDS:
            found = await scene.kube.items(path.format(f"namespaces/{scene.namespace}"))
            plural = path.rpartition("/")[2]
            self.objects.setdefault(plural, []).extend(found)
            if plural == "configmaps":
                self.plans += [_plan(found)]


async def live(scene: Scene) -> Written:
    """Begin, serve, scale, change, shrink, fail and end."""
    written = Written()
    await _begin(scene)
    await written.look(scene)
    await _ask_with_keys(scene)
    await _measure(scene)
    await _scale(scene)
    await _change_the_plan(scene)
    await _shrink_the_plan(scene)
    await _open_the_network(scene)
    await _distil(scene)
    await _fail(scene)
    await written.look(scene)
    await _end(scene)
    return written


def life_pool() -> Object:
    """A pool whose workers get a token out of a Secret, as for an object store."""
    source = {"secretKeyRef": {"name": SECRET, "key": "storeToken"}}
    worker = resources.pool(POOL)["spec"]["worker"]
    env = [*worker["env"], {"name": "STORE_TOKEN", "valueFrom": source}]
    return resources.pool(
        POOL,
        worker=worker | {"env": env},
        autoscaling="External",
        distillation="Allowed",
        replicas={"min": 0, "max": 2, "count": 1},
        networkPolicy={
            "mode": "Restricted",
            "from": [{"podSelector": {"matchLabels": {"client": "yes"}}}],
            "egress": [],
        },
    )


async def _begin(scene: Scene) -> None:
    artifact = make_ensemble(scene.folder / MODEL)
    tenant = make_tenant(scene.folder / TENANT, artifact, labels=("a", "b"), seed=1)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": {"apiKey": API_KEY, "storeToken": STORE_TOKEN, "token": PROMETHEUS_TOKEN},
    }
    await scene.kube.apply(f"/api/v1/namespaces/{scene.namespace}/secrets/{SECRET}", secret)
    reference = {"apiKeySecret": {"name": SECRET}}
    await scene.apply(
        life_pool(),
        resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest),
        resources.adapter(TENANT, ensemble=MODEL, path=TENANT, digest=tenant.digest, **reference),
    )
    await scene.ready("TenantAdapter", TENANT, within_s=90)


async def _ask_with_keys(scene: Scene) -> None:
    """The right key answers and a wrong one does not; neither may be told to anybody."""
    worker = await scene.worker(POOL)
    assert (await worker.infer(f"{MODEL}:{TENANT}", key=API_KEY)).status == 200
    assert (await worker.infer(f"{MODEL}:{TENANT}", key=STORE_TOKEN)).status == 401


async def _measure(scene: Scene) -> None:
    """Metrics come from a Prometheus that wants a token and has a certificate of its own authority."""
    presented = []

    async def answer(request: web.Request) -> web.Response:
        presented.append(request.headers["Authorization"])
        return web.Response(text=vector(warnings=[f"{presented[0]} expires soon"]))

    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder) / "pki")
    async with serving(answer, tls=certificates.of_server) as url:
        authorities = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roots"}}
        path = f"/api/v1/namespaces/{scene.namespace}/configmaps/roots"
        await scene.kube.apply(path, authorities | {"data": {"ca.crt": certificates.ca}})
        prometheus = {
            "url": url,
            "authorization": {"credentials": {"name": SECRET}},
            "tlsConfig": {"ca": {"configMap": {"name": "roots"}}},
        }
        await scene.patch("ServingPool", POOL, {"metrics": {"prometheus": prometheus}})

        async def told() -> None:
            condition = await scene.condition("ServingPool", POOL, "MetricsAvailable")
            if condition["reason"] != "MetricsIncomplete":
                raise NotYet(str(condition))

        await eventually(told, within_s=60)
    assert presented[0] == f"Bearer {PROMETHEUS_TOKEN}"
    await scene.patch("ServingPool", POOL, {"metrics": {"prometheus": None}})


async def _scale(scene: Scene) -> None:
    path = f"{path_of('ServingPool', POOL, namespace=scene.namespace)}/scale"
    for count in (2, 1):
        await scene.kube.merge(path, {"spec": {"replicas": count}})

        async def scaled(count: int = count) -> None:
            deployment = await scene.kube.get(f"/apis/apps/v1/namespaces/{scene.namespace}/deployments/{POOL}")
            if deployment["spec"]["replicas"] != count:
                raise NotYet(f"{deployment['spec']['replicas']} replicas, wanted {count}")

        await eventually(scaled, within_s=30)


async def _change_the_plan(scene: Scene) -> None:
    """It reaches the running worker by way of its pod's annotation."""
    worker = (await eventually(lambda: scene.pod(POOL), within_s=60)).worker
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 1}})

    async def served() -> None:
        response = await worker.infer(MODEL)
        if set(response.students.split(",")) != {"1"}:
            raise NotYet(str(response))

    await eventually(served, within_s=30)


async def _shrink_the_plan(scene: Scene) -> None:
    """The part that an earlier, longer plan would have left is put there, and has to go."""
    path = f"/api/v1/namespaces/{scene.namespace}/configmaps"
    first = await scene.kube.get(f"{path}/{POOL}-plan-0")
    metadata = {key: first["metadata"][key] for key in ("labels", "ownerReferences")} | {"name": f"{POOL}-plan-1"}
    await scene.kube.create(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    async def gone() -> None:
        if await scene.kube.find(f"{path}/{POOL}-plan-1") is not None:
            raise NotYet("the surplus part of the plan is still there")

    await eventually(gone, within_s=30)


async def _open_the_network(scene: Scene) -> None:
    """A policy that nobody wants any more is taken away."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{scene.namespace}/networkpolicies/{POOL}"
    assert (await scene.kube.get(path))["spec"]["policyTypes"] == ["Ingress", "Egress"]
    await scene.patch("ServingPool", POOL, {"networkPolicy": {"mode": "Off"}})

    async def gone() -> None:
        if await scene.kube.find(path) is not None:
            raise NotYet("the network policy is still there")

    await eventually(gone, within_s=30)


async def _distil(scene: Scene) -> None:
    """A Job is made, and another in its place when the spec changes; no node takes the pods of either."""
    spec = {
        "pool": POOL,
        "distill": {
            "teacher": "minilm",
            "data": "trec6",
            "output": f"pvc://{resources.CLAIM}/results",
            "nodeSelector": {"nobody": "has-this"},
        },
    }
    await scene.apply(
        {"apiVersion": "phalanx.dev/v1alpha1", "kind": "StudentEnsemble", "metadata": {"name": DISTILLED}, "spec": spec}
    )

    async def asked(other_than: str = "") -> str:
        listed = await scene.kube.items(f"/apis/batch/v1/namespaces/{scene.namespace}/jobs")
        names = [job["metadata"]["name"] for job in listed]
        if len(names) != 1 or other_than in names:
            raise NotYet(f"there are the Jobs {names}")
        return str(names[0])

    first = await eventually(asked, within_s=30)
    await scene.patch("StudentEnsemble", DISTILLED, {"distill": {"attempt": 2}})
    await eventually(lambda: asked(first), within_s=30)
    await scene.delete("StudentEnsemble", DISTILLED)


async def _fail(scene: Scene) -> None:
    """A missing Secret, twice, and an artifact from elsewhere are told in conditions, and in events."""
    for secret, reason in (("nowhere", "SecretNotFound"), (SECRET, "Valid"), ("nowhere", "SecretNotFound")):
        await scene.patch("TenantAdapter", TENANT, {"apiKeySecret": {"name": secret}})
        await _judged(scene, "TenantAdapter", TENANT, reason)
    await scene.patch("ServingPool", POOL, {"artifacts": {"allow": ["s3://elsewhere"]}})
    await _judged(scene, "StudentEnsemble", MODEL, "ArtifactNotAllowed")


async def _judged(scene: Scene, kind: str, name: str, reason: str) -> None:
    async def told() -> None:
        condition = await scene.condition(kind, name, "Accepted")
        if condition["reason"] != reason:
            raise NotYet(str(condition))

    await eventually(told, within_s=30)


async def _end(scene: Scene) -> None:
    for kind, name in (("TenantAdapter", TENANT), ("StudentEnsemble", MODEL), ("ServingPool", POOL)):
        await scene.delete(kind, name)

    async def gone() -> None:
        if left := await scene.children(POOL):
            raise NotYet(f"still there: {', '.join(left)}")

    await eventually(gone, within_s=60)


def _plan(config_maps: list[Object]) -> str:
    """The plan's text, put together from its parts."""
    files = {name: text for each in config_maps for name, text in each.get("binaryData", {}).items()}
    parts = [base64.b64decode(files[name]) for name in sorted(files) if not name.endswith(".json")]
    return gzip.decompress(b"".join(parts)).decode()
