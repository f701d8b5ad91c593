"""One pod on this node, from its binding to its removal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

from phalanx_operator.local.launch import LaunchError
from phalanx_operator.local.podstatus import PodStatus, pod_status
from phalanx_operator.local.runner import PodProcess
from phalanx_operator.local.volumes import VolumeError
from tests.e2e.kube import ApiError, Kube, Object, UnreachableError
from tests.e2e.node.contents import contents_of, service_account_files, wants_token, with_service_account
from tests.e2e.node.images import Images, PullError, with_program

RESYNC_S: Final = 30.0
"""Volumes are read anew this often, and at once when the pod object changes. A kubelet takes about a minute,
so what has to be fast must not rely on it."""
_RETRY_S: Final = 0.5


class PodOnNode:
    """Runs as one task; `show` gives it the newest pod object."""

    def __init__(self, kube: Kube, images: Images, pod: Object, *, ip: str) -> None:
        self._kube, self._images = kube, images
        self._pod, self._ip = pod, ip
        self._wake = asyncio.Event()
        self._token_files: dict[str, bytes] = {}
        self._written: PodStatus | None = None
        self._mounted_at = 0.0

    @property
    def path(self) -> str:
        """Of the pod in the API."""
        metadata = self._pod["metadata"]
        return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"

    def show(self, pod: Object) -> None:
        """Note that the pod object changed; new annotations have its volumes read at once."""
        if pod["metadata"].get("annotations") != self._pod["metadata"].get("annotations"):
            self._mounted_at = 0.0
        self._pod = pod
        self._wake.set()

    async def run(self) -> None:
        """Start the pod, keep its volumes and its status current, stop and remove it when it is deleted."""
        process = await self._start()
        if process is not None:
            try:
                await self._attend(process)
            finally:
                # Also when the node itself stops: no process outlives it.
                await process.stop(grace_s=self._grace_s)
        await self._remove()

    async def _attend(self, process: PodProcess) -> None:
        while not self._deleting:
            told = await self._report(process.status)
            mounted = time.monotonic() - self._mounted_at < RESYNC_S or await self._refresh(process)
            await self._pause(RESYNC_S if told and mounted else _RETRY_S)

    async def _remove(self) -> None:
        """Take the object away, as soon as the API server lets it be."""
        while True:
            try:
                return await self._kube.delete(self.path, grace_s=0)
            except UnreachableError as problem:
                print(f"{self.path}: {problem}", flush=True)
            await asyncio.sleep(_RETRY_S)

    @property
    def _deleting(self) -> bool:
        return "deletionTimestamp" in self._pod["metadata"]

    @property
    def _grace_s(self) -> float:
        return float(self._pod["metadata"].get("deletionGracePeriodSeconds", 5))

    async def _start(self) -> PodProcess | None:
        """The running process; None where the pod was deleted before it could be started."""
        while not self._deleting:
            try:
                process = await self._try_start()
            except (VolumeError, LaunchError, ApiError) as problem:
                await self._report(PodStatus(waiting="ContainerCreating", message=str(problem)))
            except PullError as problem:
                await self._report(self._not_pulled(problem))
            else:
                self._mounted_at = time.monotonic()
                return process
            await self._pause(_RETRY_S)
        return None

    def _not_pulled(self, problem: PullError) -> PodStatus:
        """At first what the runtime said, then, while the kubelet waits for its next try, no more than that it does."""
        if self._written is None or "ImagePull" not in self._written.waiting:
            return PodStatus(waiting="ErrImagePull", message=str(problem))
        image = self._pod["spec"]["containers"][0]["image"]
        return PodStatus(waiting="ImagePullBackOff", message=f'Back-off pulling image "{image}"')

    async def _try_start(self) -> PodProcess:
        base, _, _ = self.path.partition("/pods/")
        account = self._pod["spec"].get("serviceAccountName", "default")
        wanted = wants_token(self._pod, await self._kube.find(f"{base}/serviceaccounts/{account}"))
        if wanted:
            self._token_files = await service_account_files(self._kube, self._pod)
        pod = with_program(with_service_account(self._pod, wanted=wanted))
        return await self._images.pull(pod).start(
            pod,
            host=self._ip,
            contents=await contents_of(self._kube, pod, self._token_files),
            name="-".join(self._pod["metadata"][key] for key in ("namespace", "name")),
            on_change=lambda _: self._wake.set(),
        )

    async def _refresh(self, process: PodProcess) -> bool:
        """Show the volumes as they are now; False if the API server did not tell, and it is worth another try soon."""
        try:
            process.update(await contents_of(self._kube, process.manifest, self._token_files))
        except (VolumeError, ApiError) as problem:
            print(f"{self.path}: {problem}", flush=True)
            if isinstance(problem, UnreachableError):
                return False
        self._mounted_at = time.monotonic()
        return True

    async def _pause(self, timeout_s: float) -> None:
        """Wait for a change of the pod or of its process, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()

    async def _report(self, status: PodStatus) -> bool:
        """Write the pod's status where it differs from what was written last; False if nobody was there to take it."""
        if status == self._written:
            return True
        body = {"status": pod_status(self._pod, status, host=self._ip, now=time.time())}
        try:
            await self._kube.strategic_merge(f"{self.path}/status", body)
        except ApiError as problem:
            print(f"{self.path}: status: {problem}", flush=True)
            return not isinstance(problem, UnreachableError)
        self._written = status
        return True
