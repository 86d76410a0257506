"""skeleton: one-file snapshot (zip of json + npy arrays, no pickle)"""
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from features.schema import FeatureSchema
from models.conformal import AdaptiveConformal
from models.forecaster import Forecaster, Window

@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model as it stood after one block, ready to be served or to go on learning."""
    forecaster: Forecaster
    conformal: AdaptiveConformal
    schema: FeatureSchema          # columns of the tensor float64[-1, window, feature]
    window: int                    # rows a caller must send
    target: str                    # "base_fee_gwei"
    horizon_blocks: int
    state_block: int               # height of the last row the model has seen

    def answer(self, window: Window) -> tuple[float, float, float]:
        """Return value, lower, upper; pure."""

def save_snapshot(snapshot: Snapshot, path: Path) -> str:
    """Write the file; return its sha256 hex."""
def load_snapshot(path: Path) -> Snapshot:
    """Raises ModelError on any mismatch."""
