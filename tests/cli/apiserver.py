"""A small API server for commands: it holds objects, evicts pods, and lets a controller make new ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]


class ApiServer:
    """What is there, by path; what was asked for, as `METHOD path`; and how to refuse."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Object]] = {}
        self.objects: dict[str, Object] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.budget_refusals = 0
        self.groups = ["policy/v1"]
        self.replaced_after = 0
        """Looks at the pods after which the replacement of an evicted one is ready."""
        self._page_of: int | None = None

    def page(self, size: int) -> None:
        """Answer lists in pages of that size, whatever is asked for."""
        self._page_of = size

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Object]:
        self.requests.append((method, path, body))
        for part, (status, message) in self.refuse.items():
            if part in path:
                return status, {"kind": "Status", "message": message}
        if path == "/apis":
            return 200, {"groups": [{"versions": [{"groupVersion": each} for each in self.groups]}]}
        if method == "POST" and path.endswith("/eviction"):
            return self._evict(path)
        if method == "PATCH":
            self.objects[path] |= body
            return 200, self.objects[path]
        if path in self.objects:
            return 200, self.objects[path]
        if path in self.lists:
            return 200, self._listed(path, query)
        return 404, {"kind": "Status", "message": "the server could not find the requested resource"}

    def _listed(self, path: str, query: dict[str, list[str]]) -> Object:
        if path.endswith("/pods"):
            self._grow(path)
        items, begin = self.lists[path], int(query.get("continue", ["0"])[0])
        end = begin + self._page_of if self._page_of else len(items)
        return {"items": items[begin:end], "metadata": {"continue": str(end)} if end < len(items) else {}}

    def _evict(self, path: str) -> tuple[int, Object]:
        if self.budget_refusals:
            self.budget_refusals -= 1
            return 429, {
                "kind": "Status",
                "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            }
        name = path.split("/")[-2]
        for pods in (pods for at, pods in self.lists.items() if at.endswith("/pods")):
            for pod in [each for each in pods if each["metadata"]["name"] == name]:
                pods.remove(pod)
                metadata = {**pod["metadata"], "name": f"{name}-new", "uid": f"{pod['metadata']['uid']}-new"}
                pods.append({**pod, "metadata": metadata, "spec": {}, "status": {"phase": "Pending"}})
        return 201, {"kind": "Status"}

    def _grow(self, path: str) -> None:
        """The replacement becomes ready at last."""
        if self.replaced_after:
            self.replaced_after -= 1
            return
        for pod in self.lists[path]:
            pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[ApiServer, Path]]:
    """An empty API server, and a kubeconfig that leads to it: its context is in namespace `ml`."""
    api = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlsplit(self.path)
            status, answer = api.answer(self.command, url.path, parse_qs(url.query), body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api, _kubeconfig(folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _kubeconfig(folder: Path, url: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ml"}},
            {"name": "bare", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
