"""Load against a text server, and an account of what came back that a stalling server cannot flatter.

Theory of operation. A schedule says, before anything is sent, when each request is due (`arrivals`: pure, seeded). The
sender follows it and waits for no answer (`run`): a server that stalls for half a second finds half a second's
requests at its door, as it would with real clients. Latency counts from the moment a request was *due*, so neither the
server's stall nor the sender's own lateness can leave requests out of the figures (coordinated omission). Where the
sender itself was late, the report says by how much (`report`).

Everything is recorded exactly, in flat arrays: no task, no object and no histogram for a request, because the generator
often shares a machine with what it measures.
"""

from phalanx_load.arrivals import Phase, Schedule, Span, poisson, square_wave
from phalanx_load.errors import LoadError
from phalanx_load.report import PhaseReport, Report, make_report
from phalanx_load.run import Load, Record, drive, saturate
from phalanx_load.samples import Sample
from phalanx_load.target import Target, probe

__all__ = [
    "Load",
    "LoadError",
    "Phase",
    "PhaseReport",
    "Record",
    "Report",
    "Sample",
    "Schedule",
    "Span",
    "Target",
    "drive",
    "make_report",
    "poisson",
    "probe",
    "saturate",
    "square_wave",
]
