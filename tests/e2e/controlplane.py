"""A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler.

Only binaries are needed: no container runtime, no root. Everything lives in one temporary folder and on free
ports, RBAC is enforced, and `stop` ends exactly the processes that `start` began.
"""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import yaml

from tests.e2e.apiserver import affected, mended
from tests.e2e.audit import AuditLog, Start, write_policy
from tests.e2e.certificates import write_rsa_key, write_server_certificate
from tests.e2e.cluster import SYSTEM

BINARIES: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
DEFAULT_FOLDER: Final = "/usr/local/kubebuilder/bin"
_START_DEADLINE_S: Final = 90.0


class MissingBinariesError(Exception):
    """There is no usable set of binaries; the text says where they were looked for."""


def find_binaries() -> dict[str, Path]:
    """The programs by name, in the folder of envtest's convention.

    Raises:
        MissingBinariesError: one is missing, or cannot be used.
    """
    folder = Path(os.environ.get("KUBEBUILDER_ASSETS") or DEFAULT_FOLDER)
    found = {name: folder / name for name in BINARIES}
    missing = [name for name, path in found.items() if not os.access(path, os.X_OK)]
    if missing:
        raise MissingBinariesError(f"no control plane: {folder} lacks {', '.join(missing)} (set KUBEBUILDER_ASSETS)")
    if affected(found["kube-apiserver"]):
        found["kube-apiserver"] = mended(found["kube-apiserver"])
    if not found["kube-apiserver"].exists():
        raise MissingBinariesError(f"{folder}/kube-apiserver crashes on custom resources: run `make tools` to mend it")
    return found


class ControlPlane:
    """The four processes, their folder, and an administrator's kubeconfig."""

    def __init__(self, binaries: Mapping[str, Path], folder: Path) -> None:
        self.binaries = binaries
        self.folder = folder
        self.kubeconfig = folder / "admin.kubeconfig"
        self._starts: list[Start] = []
        self.audit = AuditLog(folder / "audit.log", self._starts)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._memory: tempfile.TemporaryDirectory[str] | None = None
        self._port = free_port()
        self._etcd_port = free_port()
        self._token = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"https://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Return when the API server is ready and the controllers run.

        Raises:
            RuntimeError: a process ended or was not ready in time; the text has the end of its log.
        """
        write_server_certificate(self.folder)
        write_rsa_key(self.folder / "service-accounts.key")
        (self.folder / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')
        self.kubeconfig.write_text(kubeconfig(server=self.url, ca=self.folder / "ca.crt", token=self._token))
        write_policy(self.folder / "audit.yaml", namespace=SYSTEM)
        # The API server retries until etcd answers; the controllers give up soon, so they start after it.
        self._spawn("etcd", _etcd_flags(self._data_folder(), self._etcd_port))
        self._start_apiserver()
        self._spawn("kube-controller-manager", _controller_flags(self.folder))
        self._spawn("kube-scheduler", [])

    def stop(self) -> None:
        """End the processes, the last started first."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in reversed(self._processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._memory is not None:
            self._memory.cleanup()

    def kill(self, name: str) -> None:
        """End a process with SIGKILL."""
        self._processes[name].kill()
        self._processes[name].wait(10)

    def restart_apiserver(self) -> None:
        """Start the API server again, on what etcd has; returns when it is ready.

        Raises:
            RuntimeError: as `start`.
        """
        self._start_apiserver()

    def log_tail(self, name: str, lines: int = 20) -> str:
        """The end of a process's log."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def _start_apiserver(self) -> None:
        begun = datetime.now(UTC)
        self._spawn("kube-apiserver", _apiserver_flags(self.folder, self._port, self._etcd_port))
        self._wait_ready()
        self._starts.append(Start(begun, datetime.now(UTC)))

    def _data_folder(self) -> Path:
        """Memory, where there is some: etcd waits for the disk at every write."""
        shared_memory = Path("/dev/shm")
        if not os.access(shared_memory, os.W_OK):
            return self.folder / "etcd"
        self._memory = tempfile.TemporaryDirectory(dir=shared_memory, prefix="phalanx-etcd-")
        return Path(self._memory.name)

    def _spawn(self, name: str, flags: Sequence[str]) -> None:
        client = self._client_flags(name) if name in ("kube-controller-manager", "kube-scheduler") else []
        with (self.folder / f"{name}.log").open("ab") as log:
            # Its own session, so that Ctrl-C reaches the tests first and they stop it in order.
            self._processes[name] = subprocess.Popen(
                [self.binaries[name], *client, *flags],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
            )

    def _client_flags(self, name: str) -> list[str]:
        flags = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        # Releases before 1.23 also listen without TLS, on a fixed port.
        text = subprocess.run([self.binaries[name], "--help"], capture_output=True, text=True, check=False).stdout
        return [*flags, "--port=0"] if " --port int" in text else flags

    def _wait_ready(self) -> None:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{self.log_tail(name)}")
            try:
                with urllib.request.urlopen(request, context=context, timeout=5):
                    return
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"no API server: {error}\n{self.log_tail('kube-apiserver')}") from error
            time.sleep(0.1)


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kubeconfig(*, server: str, ca: Path, token: str, namespace: str = "default") -> str:
    """A kubeconfig with one context, for whoever owns the token."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": namespace}}],
        "current-context": "test",
    }
    return yaml.safe_dump(document)


def _etcd_flags(data: Path, port: int) -> list[str]:
    return [
        f"--data-dir={data}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        "--listen-peer-urls=http://127.0.0.1:0",
    ]


def _apiserver_flags(folder: Path, port: int, etcd_port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--cert-dir={folder}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        # Some clusters have it on: who names an owner that blocks its deletion needs a right to the owner.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder / 'service-accounts.key'}",
        f"--service-account-key-file={folder / 'service-accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/24",
        # The Service `kubernetes` would get a loopback address, which validation refuses.
        "--endpoint-reconciler-type=none",
    ]


def _controller_flags(folder: Path) -> list[str]:
    return [
        f"--service-account-private-key-file={folder / 'service-accounts.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
        # Nodes are trusted, and claims bound, within seconds.
        "--node-monitor-period=1s",
        "--pvclaimbinder-sync-period=1s",
    ]
