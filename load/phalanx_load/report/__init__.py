"""From a record to figures, a table, a picture, and lines on a terminal."""

from phalanx_load.report.figures import Latency, PhaseReport, Report, Second, decode, encode
from phalanx_load.report.summary import make_report
from phalanx_load.report.table import footer_of, table_of

__all__ = ["Latency", "PhaseReport", "Report", "Second", "decode", "encode", "footer_of", "make_report", "table_of"]
