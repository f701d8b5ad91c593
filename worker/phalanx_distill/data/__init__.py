"""Labelled rows: reading, cleaning, splitting. No torch."""

from phalanx_distill.data.clean import Cleaned, clean
from phalanx_distill.data.read import read_rows, read_texts
from phalanx_distill.data.rows import Dataset, Row, content_hash
from phalanx_distill.data.split import Split, split

__all__ = ["Cleaned", "Dataset", "Row", "Split", "clean", "content_hash", "read_rows", "read_texts", "split"]
