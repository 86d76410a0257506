"""Two ways to weigh experts by what they have cost so far."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

Array = NDArray[np.float64]

SHARE = 0.002
"""Part of the weight that is handed round at each label: about one change of the best expert in 500."""

SPEED = 0.2
"""Learning rate of the fixed share, per typical loss."""

FADE = 0.5 ** (1 / 500)

FOR_GOOD = 100
"""Labels in a row after which an expert that is clearly ahead counts as the leader."""

CLEARLY = 2.0
"""Times the weight of the leader, or of every other expert, that puts an expert clearly ahead."""


class Hedge(Protocol):
    """Weights over experts that follow their losses."""

    name: str

    @property
    def weights(self) -> Array:
        """``float64[expert]``, adding up to one."""
        ...

    def update(self, losses: Array) -> None:
        """Take in what each expert has lost, ``float64[expert]``, in any one unit."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on exactly."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError``."""
        ...


class AdaHedge:
    """Exponential weights whose rate follows the losses: nothing to tune, no unit to know.

    The rate is ``ln(experts) / (what mixing has cost so far)``. The regret against the best expert after
    ``t`` losses of range ``s`` is below ``s * (sqrt(t ln(experts)) + 4/3 ln(experts) + 2)``.

    Parameters
    ----------
    experts
        How many there are.

    References
    ----------
    De Rooij, van Erven, Grünwald and Koolen, "Follow the Leader If You Can, Hedge If You Must" (2014).

    Examples
    --------
    >>> hedge = AdaHedge(2)
    >>> for _ in range(5):
    ...     hedge.update(np.array([1.0, 0.0]))
    >>> hedge.weights.round(3).tolist()
    [0.004, 0.996]
    """

    name = "adahedge"

    def __init__(self, experts: int) -> None:
        self._lost = np.zeros(experts)
        self._gap = 0.0

    @property
    def weights(self) -> Array:
        """``float64[expert]``, adding up to one."""
        return self._weigh()[0]

    def _weigh(self) -> tuple[Array, float]:
        """Return weights, and the mix loss of everything so far."""
        least = float(self._lost.min())
        if self._gap == 0:
            leaders = (self._lost == least).astype(np.float64)
            return leaders / leaders.sum(), least
        rate = math.log(len(self._lost)) / self._gap
        weights = np.exp(-rate * (self._lost - least))
        total = float(weights.sum())
        return weights / total, least - math.log(total / len(self._lost)) / rate

    def update(self, losses: Array) -> None:
        """Take in what each expert has lost, ``float64[expert]``, in any one unit."""
        if len(losses) == 1:
            return
        weights, _ = self._weigh()
        rate = math.inf if self._gap == 0 else math.log(len(losses)) / self._gap
        if rate == math.inf:
            mixed = float(losses[weights > 0].min())
        else:
            least = float(losses.min())
            mixed = least - math.log(float(weights @ np.exp(-rate * (losses - least)))) / rate
        # rounding may leave a mix loss a hair above the mean
        self._gap += max(0.0, float(weights @ losses) - mixed)
        self._lost = self._lost + losses

    def state(self) -> dict[str, Any]:
        """Return losses and the cost of mixing."""
        return {"lost": self._lost.copy(), "gap": self._gap}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError`` if it is of other experts or not finite."""
        self._lost = _restored(state["lost"], self._lost)
        self._gap = float(_restored([state["gap"]], np.zeros(1))[0])


class FixedShare:
    """Exponential weights that hand a little round, so that a fallen expert can come back.

    Parameters
    ----------
    experts
        How many there are.

    References
    ----------
    Herbster and Warmuth, "Tracking the Best Expert" (1998).

    Examples
    --------
    >>> hedge = FixedShare(2)
    >>> for better in (0, 1):
    ...     for _ in range(100):
    ...         hedge.update(np.array([better, 1.0 - better]))
    >>> bool(hedge.weights[1] > 0.99)
    True
    """

    name = "fixed_share"

    def __init__(self, experts: int) -> None:
        self._weights = np.full(experts, 1 / experts)
        self._typical = 0.0

    @property
    def weights(self) -> Array:
        """``float64[expert]``, adding up to one."""
        return self._weights.copy()

    def update(self, losses: Array) -> None:
        """Take in what each expert has lost, ``float64[expert]``, in any one unit."""
        spread = float(losses.max() - losses.min())
        # the widest spread of late: a rate per unit then never overshoots
        self._typical = max(spread, self._typical * FADE)
        if self._typical == 0:
            return
        weights = self._weights * np.exp(-SPEED * (losses - losses.min()) / self._typical)
        self._weights = (1 - SHARE) * weights / weights.sum() + SHARE / len(weights)

    def state(self) -> dict[str, Any]:
        """Return weights and the typical spread of losses."""
        return {"weights": self._weights.copy(), "typical": self._typical}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError`` if it is of other experts or not finite."""
        weights = _restored(state["weights"], self._weights)
        if (weights < 0).any() or not 0.999 < weights.sum() < 1.001:
            raise ModelError("the saved weights of experts do not add up to one; save the model again")
        self._weights = weights
        self._typical = float(_restored([state["typical"]], np.zeros(1))[0])


class Leadership:
    """Which expert leads, and how often another one took over for good: an alarm that the data has changed.

    The first leader has had twice the weight of every other expert after ``FOR_GOOD`` labels in a row. One
    that takes over has had the most, and twice the leader's, as long: two that are alike do not take turns.

    Examples
    --------
    >>> leadership = Leadership()
    >>> for heaviest in [0] * 150 + [1] * 50 + [0] * 50 + [1] * 150:
    ...     leadership.update(np.eye(2)[heaviest])
    >>> leadership.leader, leadership.changes
    (1, 1)
    """

    def __init__(self) -> None:
        self.leader: int | None = None
        self.changes = 0
        self._heaviest = 0
        self._labels = 0

    def update(self, weights: Array) -> None:
        """Take in the weights after a label, ``float64[expert]``."""
        heaviest = int(weights.argmax())
        others = np.delete(weights, heaviest) if self.leader is None else weights[[self.leader]]
        ahead = heaviest != self.leader and weights[heaviest] >= CLEARLY * others.max(initial=0.0)
        if not ahead:
            self._labels = 0
            return
        self._labels = self._labels + 1 if heaviest == self._heaviest else 1
        self._heaviest = heaviest
        if self._labels >= FOR_GOOD:
            self.changes += self.leader is not None
            self.leader = heaviest

    def state(self) -> dict[str, Any]:
        """Return the leader and the counts."""
        return {
            "leader": self.leader,
            "changes": self.changes,
            "heaviest": self._heaviest,
            "labels": self._labels,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``TypeError`` or ``ValueError`` if it holds no counts."""
        leader = state["leader"]
        self.leader = None if leader is None else int(leader)
        self.changes, self._heaviest = int(state["changes"]), int(state["heaviest"])
        self._labels = int(state["labels"])


RULES: dict[str, type[AdaHedge] | type[FixedShare]] = {
    AdaHedge.name: AdaHedge,
    FixedShare.name: FixedShare,
}


def _restored(values: Any, like: Array) -> Array:
    array = np.array(values, dtype=np.float64)
    if array.shape != like.shape or not np.isfinite(array).all():
        raise ModelError(
            f"the saved mix is of {array.size} experts or not finite, this one of {like.size}; build it alike"
        )
    return array
