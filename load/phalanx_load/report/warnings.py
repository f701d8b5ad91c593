"""What makes a run's figures less than they seem. Pure."""

from __future__ import annotations

from phalanx_load.report.figures import PhaseReport
from phalanx_load.run.open_loop import Load
from phalanx_load.run.record import Record

LATE_MS = 5.0
"""The event loop's timers are exact to one or two milliseconds; beyond this the generator was kept from its work."""

LATE_SHARE = 0.1
"""Lateness that is so small a part of the latency does not change what the latency says."""

UNANSWERED, BROKEN = "unanswered", "broken"
"""Names of outcomes without a status, in `PhaseReport.statuses`."""


def warnings_of(record: Record, total: PhaseReport, *, load: Load) -> tuple[str, ...]:
    """Sentences, none for a clean run."""
    found: list[str] = []
    if total.late is not None and total.latency is not None:
        late, answered = total.late.p99_ms, total.latency.p99_ms
        if late > max(LATE_MS, LATE_SHARE * answered):
            found.append(
                f"the generator fell behind its schedule: p99 {late:.1f} ms late, within latencies of p99 "
                f"{answered:.1f} ms (they count from the due time); give it a core of its own, or lower the rate"
            )
    if record.connections_short:
        found.append(
            f"all {record.peak_connections} connections were in use at times, so that requests waited here: raise "
            "--connections, and the limit of open files (ulimit -n) where that is lower"
        )
    if record.resent:
        found.append(
            f"{record.resent} requests were sent twice: the server had ended their connection without an answer, as it "
            "does with idle ones (or it broke)"
        )
    for why, count in sorted(record.failures.items(), key=lambda item: -item[1])[:3]:
        found.append(f"{count} requests lost: {why}")
    for status, words in sorted(record.errors.items()):
        found.append(f"{total.statuses.get(str(status), 0)} requests lost: status {status}: {words}")
    if broken := total.statuses.get(BROKEN):
        found.append(f"{broken} requests broke: each counts like one that timed out, with {load.timeout_s:g} s or more")
    if still_open := total.statuses.get(UNANSWERED):
        found.append(
            f"{still_open} requests were still unanswered at the end: their latency counts up to there, the least that "
            "it can be"
        )
    if record.interrupted:
        found.append("interrupted: these are the figures up to then")
    return tuple(found)
