"""The file MLflow runs to load a registered model ("models from code").

It is stored with every version and executed on load; nothing imports it. Nothing is
unpickled: the model is rebuilt from the snapshot file that lies beside it. The project's
packages are *not* copied into the version, so whoever loads one needs this project
installed; the version's ``code_version`` tag says which commit wrote it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

from core.errors import ModelError
from models.snapshot import Snapshot, load_snapshot


class ServedForecaster(PythonModel):
    """A snapshot behind MLflow's interface: tensor in, tensor out.

    Whoever serves in process takes ``snapshot`` from the unwrapped model and skips the tensor.
    """

    snapshot: Snapshot

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the model from its snapshot file. Raises ``ModelError`` if that does not fit."""
        self.snapshot = load_snapshot(Path(context.artifacts["snapshot"]))

    # the bare array type is the one hint that MLflow does not turn into its own validation of rows
    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> NDArray[np.float64]:
        """Return forecasts of a batch of windows.

        Parameters
        ----------
        context
            Unused; MLflow passes it.
        model_input
            ``float64[batch, window, feature]``, rows oldest first, columns in the order of the
            version's ``features`` metadata.
        params
            Unused; MLflow passes it.

        Returns
        -------
        ndarray
            ``float64[batch, 3]``: value, lower and upper bound, in the target's unit.

        Raises
        ------
        ModelError
            If the shape does not fit or a number is not finite.
        """
        batch = np.asarray(model_input, dtype=np.float64)
        expected = (self.snapshot.window, len(self.snapshot.schema.names))
        if batch.ndim != 3 or batch.shape[1:] != expected:
            raise ModelError(
                f"expected float64[batch, {expected[0]}, {expected[1]}], got shape {batch.shape}",
                shape=list(batch.shape),
            )
        answers = [self.snapshot.answer(self.snapshot.schema.rows(window)) for window in batch]
        return np.array(answers, dtype=np.float64).reshape(len(batch), 3)


mlflow.models.set_model(ServedForecaster())
