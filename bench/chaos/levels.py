"""What was held over time, as several sources tell it. Pure: times are given."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Level:
    """A number that must not fall: the least that any source says of it."""

    steps: list[tuple[float, int]] = field(default_factory=list)
    _said: dict[str, int] = field(default_factory=dict)

    def note(self, source: str, value: int | None, *, at: float) -> None:
        """What a source says now; None: it says nothing any more."""
        if value is None:
            self._said.pop(source, None)
        else:
            self._said[source] = value
        least = min(self._said.values(), default=None)
        if least is not None and (not self.steps or self.steps[-1][1] != least):
            self.steps.append((at, least))

    def before(self, at: float) -> int:
        """What it was just before a time.

        Raises:
            LookupError: nothing was known yet.
        """
        known = [value for when, value in self.steps if when < at]
        if not known:
            raise LookupError("nothing was known yet")
        return known[-1]

    def lowest(self, since: float, until: float) -> int:
        """The least that it was between two times, both included."""
        return min([self.before(since), *(value for when, value in self.steps if since <= when <= until)])
