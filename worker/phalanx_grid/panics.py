"""What a library in Rust raises when it panics: a `BaseException` of its own, which no `except Exception` sees."""

from __future__ import annotations

import asyncio
from typing import Final

STOPS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)
"""What ends a process or a task, and is never a failure: let through before any `BaseException` is taken for one."""
