"""Several experts as one forecaster: online learning that can lose only a little to the best of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from models.experts import check_expert
from models.forecaster import Forecaster, Window
from models.hedging import RULES, AdaHedge, Hedge
from models.inputs import check_numbers, read_label
from models.targets.table import Kind


class ExpertMix:
    """Forecasts the weighted mean of its experts.

    When a label comes, each expert is asked about its window once more, before it learns from it, and
    the weights move along the slope of the mix's own loss: absolute error of a number, squared error of
    a probability. The mix so competes with the best fixed weights, not only with the best single expert.
    With labels that come late the experts have then learned from a few labels more than when the
    forecast was served; what is judged is always the served one.

    Parameters
    ----------
    experts
        Forecasters of the same label with different names; they learn here.
    kind
        What the label is.
    rule
        ``adahedge`` for weights with nothing to tune, ``fixed_share`` for weights that forget.

    Raises
    ------
    ModelError
        If there are no experts, two have one name, or there is no such rule.
    """

    name = "mix"

    def __init__(
        self, experts: Sequence[Forecaster], kind: Kind = Kind.NUMBER, rule: str = AdaHedge.name
    ) -> None:
        names = [one.name for one in experts]
        if not names or len(set(names)) != len(names):
            raise ModelError("a mix needs experts with different names", names=names)
        if rule not in RULES:
            raise ModelError(f"no rule is called {rule!r}; there are {', '.join(RULES)}", rule=rule)
        self.experts = tuple(experts)
        self.kind = kind
        self._hedge: Hedge = RULES[rule](len(names))
        self._lost = np.zeros(len(names))
        self._mix_lost = 0.0

    @property
    def weights(self) -> dict[str, float]:
        """Weight by expert; a sudden move says that something has changed."""
        names = [one.name for one in self.experts]
        return dict(zip(names, self._hedge.weights.tolist(), strict=True))

    @property
    def losses(self) -> dict[str, float]:
        """What each expert has lost in all, in the label's unit or, for probabilities, its square."""
        return dict(zip([one.name for one in self.experts], self._lost.tolist(), strict=True))

    @property
    def regret(self) -> float:
        """What the mix has lost more than its best expert; negative where mixing has helped."""
        return self._mix_lost - float(self._lost.min())

    def predict_one(self, window: Window) -> float:
        """Return the forecast, in the label's unit; changes nothing.

        Raises
        ------
        ModelError
            If an expert refuses the window or forecasts no number.
        """
        return self._mixed(self._ask(window))

    def learn_one(self, window: Window, label: float) -> None:
        """Move the weights, then let each expert learn.

        Raises
        ------
        ModelError
            As :meth:`predict_one`, and if the label is not finite; nothing has changed then.
        """
        read_label(label)
        forecasts = self._ask(window)
        mixed = self._mixed(forecasts)
        if self.kind is Kind.NUMBER:
            slope = float(np.sign(mixed - label))
            self._lost = self._lost + np.abs(forecasts - label)
            self._mix_lost += abs(mixed - label)
        else:
            slope = 2 * (mixed - label)
            self._lost = self._lost + (forecasts - label) ** 2
            self._mix_lost += (mixed - label) ** 2
        self._hedge.update(slope * (forecasts - mixed))
        for one in self.experts:
            one.learn_one(window, label)

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Let the experts learn history, at once where they can; weights stay as they are."""
        for one in self.experts:
            fit = getattr(one, "fit", None)
            if fit is not None:
                fit(windows, labels)
                continue
            for window, label in zip(windows, labels, strict=True):
                one.learn_one(window, label)

    def _ask(self, window: Window) -> NDArray[np.float64]:
        forecasts = np.array([one.predict_one(window) for one in self.experts], dtype=np.float64)
        if not np.isfinite(forecasts).all():
            silent = [o.name for o, f in zip(self.experts, forecasts, strict=True) if not math.isfinite(f)]
            raise ModelError(
                f"the expert(s) {', '.join(silent)} forecast no number; train them again", names=silent
            )
        return np.clip(forecasts, 0.0, 1.0) if self.kind is Kind.PROBABILITY else forecasts

    def _mixed(self, forecasts: NDArray[np.float64]) -> float:
        # between the smallest and the largest, whatever rounding adds
        return float(np.clip(self._hedge.weights @ forecasts, forecasts.min(), forecasts.max()))

    def state(self) -> dict[str, Any]:
        """Return experts, weights and losses as plain values and arrays."""
        return {
            "kind": self.kind.value,
            "rule": self._hedge.name,
            "experts": [{"model": one.name, "state": one.state()} for one in self.experts],
            "hedge": self._hedge.state(),
            "lost": self._lost.copy(),
            "mix_lost": self._mix_lost,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to a mix of other experts, or is damaged.
        """
        try:
            if (state["kind"], state["rule"]) != (self.kind.value, self._hedge.name):
                raise ModelError(
                    f"the saved mix weighs a {state['kind']} by {state['rule']}, "
                    f"this one a {self.kind.value} by {self._hedge.name}; build it alike"
                )
            lost, mix_lost = np.array(state["lost"], dtype=np.float64), float(state["mix_lost"])
            check_numbers(lost, mix_lost)
            if lost.shape != self._lost.shape or len(state["experts"]) != len(self.experts):
                raise ModelError(f"the saved mix has {lost.size} experts, this one {len(self.experts)}")
            for one, saved in zip(self.experts, state["experts"], strict=True):
                check_expert(saved, one)
            self._hedge.restore(state["hedge"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
        self._lost, self._mix_lost = lost, mix_lost
