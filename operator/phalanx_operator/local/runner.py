"""Pods as local processes: what a kubelet does for one container, on one machine.

runner = ProcessRunner(root)
pod = await runner.start(manifest, host="127.0.0.1", port=41234, contents=Contents(config_maps={...}))
pod.status            # phase, started, ready, restarts, last exit
pod.update(contents)  # new files of ConfigMaps and Secrets, swapped in atomically
await pod.stop()
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from phalanx_operator.api.types import Manifest
from phalanx_operator.local import launch, volumes
from phalanx_operator.local.ending import EndingFile
from phalanx_operator.local.podstatus import PodStatus
from phalanx_operator.local.supervise import Supervisor
from phalanx_operator.local.volumes import Contents
from phalanx_operator.reconcile.backoff import Backoff

Changed = Callable[["PodProcess"], None]


class PodProcess:
    """One running pod. `status` is always current; `on_change` is called after each change of it."""

    def __init__(self, manifest: Manifest, *, folder: Path, supervisor: Supervisor, on_change: Changed | None) -> None:
        self.manifest = manifest
        self.folder = folder
        self._supervisor = supervisor
        if on_change is not None:
            supervisor.changed = lambda: on_change(self)
        self._task = asyncio.create_task(supervisor.run(), name=f"pod {self.name}")

    def __repr__(self) -> str:
        return f"<PodProcess {self.name} {self.address} {self.status}>"

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def address(self) -> str:
        """`host:port` of its `http` port."""
        return f"{self._supervisor.host}:{self._supervisor.port}"

    @property
    def host(self) -> str:
        """Its IP address."""
        return self._supervisor.host

    @property
    def port(self) -> int:
        """Its `http` port on this machine."""
        return self._supervisor.port

    @property
    def log(self) -> Path:
        """Both output streams of every run."""
        return self._supervisor.log

    @property
    def status(self) -> PodStatus:
        """Where it stands."""
        return self._supervisor.status

    def update(self, contents: Contents) -> None:
        """Show new contents of ConfigMaps and Secrets to the running process.

        Raises:
            VolumeError: a ConfigMap or Secret that is not optional is gone; what is mounted stays.
        """
        volumes.mount(self.manifest, contents, self.folder)

    async def wait(self) -> PodStatus:
        """Wait until the pod will not run again (restartPolicy Never or OnFailure, or `stop`)."""
        await asyncio.shield(self._task)
        return self.status

    async def stop(self, *, grace_s: float | None = None) -> None:
        """End the process (SIGTERM, the pod's grace period or `grace_s`, SIGKILL to the group) and its folders."""
        self._supervisor.stop(grace_s=grace_s)
        await asyncio.shield(self._task)
        shutil.rmtree(self.folder / "volumes", ignore_errors=True)
        shutil.rmtree(self.folder / "mounts", ignore_errors=True)


class ProcessRunner:
    """Starts pods below `root`, each in a folder of its name: `volumes/`, `mounts/` and `output.log`.

    `environ` is what every process gets besides its pod's variables; by default this program's environment.
    """

    def __init__(self, root: Path, *, backoff: Backoff | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._backoff = backoff or Backoff()
        self._environ = dict(os.environ if environ is None else environ)

    async def start(
        self,
        pod: Manifest,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        contents: Contents | None = None,
        name: str | None = None,
        on_change: Changed | None = None,
    ) -> PodProcess:
        """Start a pod (a full Pod object: `metadata` and `spec`).

        `port` replaces its `http` port; without it the pod's own port is used, which suits a node that gives each
        pod an address of its own (127.0.0.2, ...). `name` replaces its folder's name.

        Raises:
            VolumeError: a volume has nothing to show (yet): try again later.
            LaunchError: the pod needs something that a process cannot have.
        """
        contents = contents or Contents()
        folder = self.root / (name or pod["metadata"]["name"])
        folder.mkdir(parents=True, exist_ok=True)
        port = launch.port_of(launch.container_of(pod)) if port is None else port
        ending = EndingFile.of(launch.container_of(pod), folder, log=folder / "output.log")
        mounts = volumes.mount(pod, contents, folder) | {ending.inside: ending.file}
        plan = launch.plan_launch(pod, mounts=mounts, contents=contents, host=host, port=port)
        supervisor = Supervisor(
            pod,
            argv=plan.argv,
            env={**self._environ, **plan.env},
            host=host,
            port=port,
            folder=folder,
            backoff=self._backoff,
        )
        return PodProcess(pod, folder=folder, supervisor=supervisor, on_change=on_change)
