"""The grid: encoders of K students by L rows, as a library.

Import a checkpoint, cut it into students and stack them, run the first k as one computation, leave at a ramp, add
tenants' adapters, and keep it all in artifacts that are verified before they are served.
"""

from phalanx_grid.adapter_artifact import LoadedAdapter, load_adapter, save_adapter
from phalanx_grid.adapters import AdapterWeights
from phalanx_grid.artifact import LoadedArtifact, load_artifact, save_artifact
from phalanx_grid.batch import Batch
from phalanx_grid.checkpoint import CHECKPOINT_CONFIGURATION, import_checkpoint
from phalanx_grid.checkpoint_head import CheckpointHead, read_head
from phalanx_grid.compose import cut, stack
from phalanx_grid.errors import (
    AdapterError,
    AdapterNotLoaded,
    AdapterTableFull,
    ArtifactCorrupt,
    ArtifactError,
    ArtifactNotFound,
    ArtifactUnsupported,
    BaseMismatch,
    CheckpointError,
    DigestMismatch,
    GridError,
    RankTooHigh,
)
from phalanx_grid.geometry import Geometry
from phalanx_grid.grid import Grid
from phalanx_grid.lora import LoraAdapter
from phalanx_grid.manifest import Accuracy, AdapterManifest, EnsembleManifest, Interval, StudentAccuracy
from phalanx_grid.outputs import FinalStep, GridOutput, RampStep
from phalanx_grid.precision import cast, compute_dtype
from phalanx_grid.slots import AdapterTable
from phalanx_grid.store import read_manifest, verify_artifact
from phalanx_grid.tokenizer import Encoding, TextTooLong, Tokenizer

__all__ = [
    "CHECKPOINT_CONFIGURATION",
    "Accuracy",
    "AdapterError",
    "AdapterManifest",
    "AdapterNotLoaded",
    "AdapterTable",
    "AdapterTableFull",
    "AdapterWeights",
    "ArtifactCorrupt",
    "ArtifactError",
    "ArtifactNotFound",
    "ArtifactUnsupported",
    "BaseMismatch",
    "Batch",
    "CheckpointError",
    "CheckpointHead",
    "DigestMismatch",
    "Encoding",
    "EnsembleManifest",
    "FinalStep",
    "Geometry",
    "Grid",
    "GridError",
    "GridOutput",
    "Interval",
    "LoadedAdapter",
    "LoadedArtifact",
    "LoraAdapter",
    "RampStep",
    "RankTooHigh",
    "StudentAccuracy",
    "TextTooLong",
    "Tokenizer",
    "cast",
    "compute_dtype",
    "cut",
    "import_checkpoint",
    "load_adapter",
    "load_artifact",
    "read_head",
    "read_manifest",
    "save_adapter",
    "save_artifact",
    "stack",
    "verify_artifact",
]
