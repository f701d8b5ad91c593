"""Watches the pods that are bound to this node and keeps a task for each."""

from __future__ import annotations

import asyncio
import itertools
import os
import traceback

from tests.e2e.kube import ApiError, Kube, Object
from tests.e2e.node.images import Images
from tests.e2e.node.pod import PodOnNode


class Kubelet:
    """The pods of one node by uid."""

    def __init__(self, kube: Kube, images: Images, *, name: str) -> None:
        self._kube, self._images = kube, images
        self._path = f"/api/v1/pods?fieldSelector=spec.nodeName={name}"
        self._pods: dict[str, PodOnNode] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # All of 127/8 is loopback on Linux. One address for each pod, so that each may use its own port, in a network
        # of this node's own, so that what a killed run left behind is in nobody's way.
        network = f"127.{64 + os.getpid() % 128}"
        self._addresses = (f"{network}.{number // 250}.{number % 250 + 1}" for number in itertools.count())

    async def run(self) -> None:
        """List and watch for ever."""
        while True:
            try:
                await self._follow()
            except ApiError as problem:
                print(f"watch: {problem}", flush=True)
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """End every pod's process; their objects stay in the API."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _follow(self) -> None:
        listed = await self._kube.get(self._path)
        for pod in listed["items"]:
            self._show(pod)
        version = listed["metadata"]["resourceVersion"]
        async for event in self._kube.watch(self._path, resource_version=version):
            if event["type"] == "ERROR":
                return
            if event["type"] != "DELETED":
                self._show(event["object"])

    def _show(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid].show(pod)
            return
        self._pods[uid] = PodOnNode(self._kube, self._images, pod, ip=next(self._addresses))
        self._tasks[uid] = asyncio.create_task(self._attend(uid), name=f"pod {pod['metadata']['name']}")

    async def _attend(self, uid: str) -> None:
        pod = self._pods[uid]
        print(f"{pod.path}: bound", flush=True)
        try:
            await pod.run()
        except Exception:
            print(f"{pod.path}: {traceback.format_exc()}", flush=True)
        else:
            print(f"{pod.path}: removed", flush=True)
