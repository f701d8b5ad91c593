"""Pods for tests: small programs in place of a worker."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

SERVER = """
import http.server, os, pathlib, signal, sys
plan = pathlib.Path(os.environ["PHALANX_PLAN_DIR"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        broken = pathlib.Path(os.environ["TMPDIR"], "broken-" + name)
        body = os.environ.get(name[4:], "").encode() if name.startswith("env/") else b"ok"
        if name.startswith("file/"):
            path = plan / name[5:]
            body = path.read_bytes() if path.exists() else b"missing"
        if name == "die":
            os._exit(3)
        self.send_response(500 if broken.exists() else 200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): print("asked", self.path, flush=True)
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
address = (os.environ["PHALANX_HOST"], int(os.environ["PHALANX_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def probe(path: str, **more: Any) -> dict[str, Any]:
    """A fast probe."""
    get = {"path": path, "port": "http"}
    return {"httpGet": get, "periodSeconds": 0.05, "timeoutSeconds": 5, "failureThreshold": 200, **more}


def pod(
    name: str = "w-0", *, command: list[str] | None = None, args: tuple[str, ...] = (), **spec: Any
) -> dict[str, Any]:
    """A pod of the shape that the operator builds; by default its program is `SERVER`."""
    container = {
        "name": "worker",
        "image": "phalanx-worker",
        "command": command or [sys.executable, "-c", SERVER],
        "args": list(args),
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "PHALANX_PLAN_DIR", "value": "/etc/phalanx/plan"},
            {"name": "PHALANX_PORT", "value": "8080"},
            {"name": "PHALANX_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "GREETING", "value": "$(PHALANX_POD_NAME) says hello"},
        ],
        "volumeMounts": [
            {"name": "plan", "mountPath": "/etc/phalanx/plan", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    container |= spec.pop("container", {})
    parts = [{"configMap": {"name": f"gpus-plan-{index}", "optional": True}} for index in range(2)]
    volumes = [{"name": "plan", "projected": {"sources": parts}}, {"name": "tmp", "emptyDir": {}}]
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": metadata, "spec": {"containers": [container], "volumes": volumes, **spec}}


async def until(condition: Callable[[], object], *, timeout_s: float = 20.0) -> None:
    """Poll until `condition()` holds; fails with its source after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {timeout_s:g} s: {condition}"
        await asyncio.sleep(0.01)
