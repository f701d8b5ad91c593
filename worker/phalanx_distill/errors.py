"""What distillation refuses, and how it says so.

DistillError             base; the text is one line that names what to change
├── DataError            a file of rows or texts cannot be used; the text names file and line
├── SettingError         a setting has a bad value; `field` is its path
├── NotInstalledError    a packaged encoder or data set is missing; the text holds the pip command
├── WeightsError         an encoder's bytes are not the ones that were expected
├── StoreError           a store did not answer; another try may find that it does
└── OutputError          the output folder holds something that must not be overwritten
"""

from __future__ import annotations

from pathlib import Path


class DistillError(Exception):
    """Base of everything that a user can put right; the command line prints it without a trace."""


class DataError(DistillError):
    """Rows or texts that cannot be used."""

    @classmethod
    def at(cls, path: Path, line: int, message: str) -> DataError:
        """An error at a line (counted from 1) of a file."""
        return cls(f"{path}:{line}: {message}")


class SettingError(DistillError):
    """A setting outside of its bounds, or one that does not exist."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}" if field else message)


class NotInstalledError(DistillError):
    """A packaged encoder or data set is not installed."""


class WeightsError(DistillError):
    """The weights at hand are not the ones that their name promises."""


class StoreError(DistillError):
    """A store did not answer, or not with what was asked for."""


class OutputError(DistillError):
    """The output folder is in use by something else."""
