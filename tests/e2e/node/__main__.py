"""Run the node until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from phalanx_contract.runtime import ENV_DRAIN_LAG_S
from phalanx_operator.reconcile.backoff import Backoff
from tests.binaries import REPOSITORY
from tests.e2e.kube import Kube
from tests.e2e.node.images import Images
from tests.e2e.node.kubelet import Kubelet
from tests.e2e.node.registration import heartbeat, register


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.node", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--name", default="test-node")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--root", type=Path, required=True, help="folder for volumes and logs of pods")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    # What the tests were started with must not give a pod rights that its service account lacks.
    environ = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    # Programs of the tests are found from a pod's folder, too.
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), environ.get("PYTHONPATH", "")]))
    # The only routers are the tests: they know at once that a pod ends.
    environ[ENV_DRAIN_LAG_S] = "1"
    # A crash is part of the tests: do not wait as long for the next start as a kubelet does.
    images = Images(arguments.root, backoff=Backoff(initial_s=0.5, max_s=5.0), environ=environ)
    async with Kube(arguments.kubeconfig) as kube:
        await register(kube, arguments.name, gpus=arguments.gpus)
        kubelet = Kubelet(kube, images, name=arguments.name)
        tasks = [
            asyncio.create_task(heartbeat(kube, arguments.name, gpus=arguments.gpus)),
            asyncio.create_task(kubelet.run()),
        ]
        await stopped.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kubelet.stop()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
