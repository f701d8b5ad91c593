"""One process group: started in a session of its own, ended as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from phalanx_operator.local import tether


class Process:
    """A running command. It dies with this program, even with one that is killed by -9 (on Linux)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def __repr__(self) -> str:
        return f"<Process {self.pid} exit={self._process.returncode}>"

    @classmethod
    async def start(cls, argv: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, log: Path) -> Process:
        """Start `argv` with exactly `env`; both output streams are appended to `log`."""
        # Opening a local log file for append does not block.
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *argv),
                env=dict(env),
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process)

    async def wait(self) -> int:
        """The exit status (negative: the signal), once the main process is gone and its group with it."""
        status = await self._process.wait()
        self._kill_group()
        return status

    async def stop(self, *, grace_s: float) -> int:
        """SIGTERM to the main process, as the kubelet does; after the grace SIGKILL to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self.wait()
        except TimeoutError:
            self._kill_group()
            return await self.wait()
        except asyncio.CancelledError:
            self._kill_group()
            raise

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
