"""The folder of a running `phalanx up`: a lock, the state file, and the pods' folders.

STATE_DIR/lock          held while it runs; names the process
STATE_DIR/status.json   replaced as a whole at each change
STATE_DIR/pods/NAME/    volumes and output.log of each process
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self


class StateDirError(Exception):
    """The folder cannot be used; the text says what to do."""


def default_state_dir() -> Path:
    """Where `up` keeps its state and `top` looks for it: below XDG_STATE_HOME."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "phalanx" / "local"


class StateDir:
    """Holds the folder for this process alone; leaving the context takes away what was made."""

    def __init__(self, path: Path, *, keep_logs: bool) -> None:
        # Absolute: the pods' processes have working directories of their own.
        self.path = path.resolve()
        self.pods = self.path / "pods"
        self._keep_logs = keep_logs
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        """Raises StateDirError if another `phalanx up` has it, or it cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise StateDirError(f"{self.path}: {error.strerror}; choose another with --state-dir") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            message = f"{self.path} is used by another `phalanx up`; stop it, or choose another with --state-dir"
            raise StateDirError(message) from error
        self._lock = lock
        # What a killed predecessor left; its processes died with it.
        shutil.rmtree(self.pods, ignore_errors=True)
        self.pods.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.path / "status.json").unlink(missing_ok=True)
        if not self._keep_logs:
            shutil.rmtree(self.pods, ignore_errors=True)
        (self.path / "lock").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
        if not self._keep_logs and not any(self.path.iterdir()):
            self.path.rmdir()

    def write(self, view: dict[str, Any], *, copy: Path | None = None) -> None:
        """Replace the state file, and the user's own copy."""
        text = json.dumps(view, indent=1)
        for path in filter(None, (self.path / "status.json", copy)):
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text(text)
            temporary.replace(path)


def read_state(path: Path) -> dict[str, Any] | None:
    """The state of a running `phalanx up`; None if none runs there, even if a killed one left its file."""
    try:
        with (path / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except BlockingIOError:
        pass  # its holder runs
    except FileNotFoundError:
        return None
    try:
        state: dict[str, Any] = json.loads((path / "status.json").read_text())
    except FileNotFoundError:
        return None
    return state
