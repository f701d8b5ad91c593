"""Encoders and data sets that pip installs, by name.

They are found without importing their packages: what they hold is data, and their code is not wanted.
"""

from phalanx_distill.packaged.encoders import ENCODERS, encoder_dir
from phalanx_distill.packaged.pool import pooled_texts
from phalanx_distill.packaged.sets import SETS, packaged_rows

__all__ = ["ENCODERS", "SETS", "encoder_dir", "packaged_rows", "pooled_texts"]
