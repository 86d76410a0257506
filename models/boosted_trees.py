"""Boosted trees as plain arrays: what scikit-learn has grown, asked without it in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import ModelError


@compiled
def _walk(
    row: NDArray[np.float64],
    start: float,
    roots: NDArray[np.int64],
    feature: NDArray[np.int64],
    threshold: NDArray[np.float64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    value: NDArray[np.float64],
) -> float:
    total = start
    for root in roots:
        node = root
        while feature[node] >= 0:
            node = left[node] if row[feature[node]] <= threshold[node] else right[node]
        total += value[node]
    return total


@dataclass(frozen=True, slots=True, eq=False)
class BoostedTrees:
    """A sum of regression trees over finite features.

    Parameters
    ----------
    start
        What they say together before the first tree.
    roots
        ``int64[tree]``: node at which each tree begins.
    feature, threshold, left, right, value
        ``[node]``: a row goes left where its feature is at most the threshold; a leaf has feature -1.
    """

    start: float
    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]

    def output(self, row: NDArray[np.float64]) -> float:
        """Return what the trees say about one row, ``float64[feature]``."""
        return _walk(
            row, self.start, self.roots, self.feature, self.threshold, self.left, self.right, self.value
        )

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {name: getattr(self, name) for name in self.__slots__}


def no_trees() -> BoostedTrees:
    """Return trees that say zero."""
    none, nowhere = np.zeros(0), np.zeros(0, dtype=np.int64)
    return BoostedTrees(0.0, nowhere, nowhere, none, nowhere, nowhere, none)


def export_trees(fitted: Any) -> BoostedTrees:
    """Return the trees of a fitted ``HistGradientBoostingRegressor`` without categories."""
    trees = [stage[0].nodes for stage in fitted._predictors]
    roots = np.cumsum([0, *(len(nodes) for nodes in trees)])[:-1].astype(np.int64)
    nodes = np.concatenate(trees)
    shift = np.repeat(roots, [len(one) for one in trees])
    return BoostedTrees(
        start=float(np.ravel(fitted._baseline_prediction)[0]),
        roots=roots,
        feature=np.where(nodes["is_leaf"] == 1, -1, nodes["feature_idx"]).astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=nodes["left"].astype(np.int64) + shift,
        right=nodes["right"].astype(np.int64) + shift,
        value=nodes["value"].astype(np.float64),
    )


def restore_trees(state: dict[str, Any], width: int) -> BoostedTrees:
    """Return the trees of :meth:`BoostedTrees.state`.

    Parameters
    ----------
    state
        The arrays.
    width
        Features a row has.

    Raises
    ------
    ModelError
        If a node leads backwards or nowhere, reads a feature that is not there, or is no finite number:
        asking such trees would never end or read foreign memory.
    """
    whole = {
        name: np.ascontiguousarray(state[name], dtype=np.int64)
        for name in ("roots", "feature", "left", "right")
    }
    real = {name: np.ascontiguousarray(state[name], dtype=np.float64) for name in ("threshold", "value")}
    start = float(state["start"])
    count = len(whole["feature"])
    inner = whole["feature"] >= 0
    places = np.arange(count)
    sound = (
        all(array.shape == (count,) for name, array in {**whole, **real}.items() if name != "roots")
        and whole["roots"].ndim == 1
        and bool(((whole["roots"] >= 0) & (whole["roots"] < count)).all())
        and bool((whole["feature"] < width).all())
        and all(
            bool(((child > places) & (child < count))[inner].all())
            for child in (whole["left"], whole["right"])
        )
        and bool(np.isfinite([start, *real["value"]]).all() and not np.isnan(real["threshold"]).any())
    )
    if not sound:
        raise ModelError("the saved trees are damaged; save the model again")
    return BoostedTrees(
        start=start,
        roots=whole["roots"],
        feature=whole["feature"],
        threshold=real["threshold"],
        left=whole["left"],
        right=whole["right"],
        value=real["value"],
    )
