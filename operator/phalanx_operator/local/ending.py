"""A container's termination message: what it wrote to a file of its own, else, if it failed, the end of its log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phalanx_contract.distillation import ENDING_PATH, MAX_ENDING_BYTES
from phalanx_operator.api.types import Manifest

LOG_BYTES: Final = 2048
"""What a kubelet takes of a log."""
FILE: Final = "termination-log"


@dataclass(frozen=True, kw_only=True, slots=True)
class EndingFile:
    """`inside` is its path in the container, `file` the same on this machine."""

    inside: str
    file: Path
    log: Path
    falls_back: bool

    @classmethod
    def of(cls, container: Manifest, folder: Path, *, log: Path) -> EndingFile:
        """As the container's `terminationMessagePath` and `terminationMessagePolicy` have it."""
        return cls(
            inside=container.get("terminationMessagePath") or ENDING_PATH,
            file=folder / FILE,
            log=log,
            falls_back=container.get("terminationMessagePolicy") == "FallbackToLogsOnError",
        )

    def clear(self) -> None:
        """Before a run: what an earlier one wrote is not this one's."""
        self.file.unlink(missing_ok=True)

    def read(self, code: int) -> str:
        """After a run that ended with this code."""
        said = self.file.read_bytes()[:MAX_ENDING_BYTES] if self.file.exists() else b""
        if not said and self.falls_back and code != 0 and self.log.exists():
            said = self.log.read_bytes()[-LOG_BYTES:]
        return said.decode(errors="replace")
