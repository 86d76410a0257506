"""Several experts as one forecaster: online learning that can lose only a little to the best of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from models.experts import check_expert
from models.forecaster import Forecaster, Window
from models.hedging import RULES, AdaHedge, Hedge, Leadership
from models.inputs import check_numbers, read_label
from models.targets.table import Kind

WEIGHED = 500
"""Labels at the end of history, at most a quarter of it, that move the weights instead of being fitted."""


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
    learn_every
        By name of an expert, for those that cost too much to learn from each label once they are fitted:
        learn from one in so many.

    Raises
    ------
    ModelError
        If there are no experts, two have one name, there is no such rule, or an expert would never learn.
    """

    name = "mix"

    def __init__(
        self,
        experts: Sequence[Forecaster],
        kind: Kind = Kind.NUMBER,
        rule: str = AdaHedge.name,
        learn_every: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        names = [one.name for one in experts]
        if not names or len(set(names)) != len(names):
            raise ModelError("a mix needs experts with different names", names=names)
        if rule not in RULES:
            raise ModelError(f"no rule is called {rule!r}; there are {', '.join(RULES)}", rule=rule)
        if any(every < 1 for every in learn_every.values()):
            raise ModelError("an expert learns from one label in at least one", learn_every=dict(learn_every))
        self.experts = tuple(experts)
        self.kind = kind
        self.learn_every = dict(learn_every)
        self._labels = 0
        self._leadership = Leadership()
        self._hedge: Hedge = RULES[rule](len(names))
        self._lost = np.zeros(len(names))
        self._mix_lost = 0.0

    @property
    def weights(self) -> dict[str, float]:
        """Weight by expert."""
        names = [one.name for one in self.experts]
        return dict(zip(names, self._hedge.weights.tolist(), strict=True))

    @property
    def leader_changes(self) -> int:
        """How often the lead among the experts has changed for good; each time, the data has changed."""
        return self._leadership.changes

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
        self._learn(window, label)

    def _learn(self, window: Window, label: float) -> None:
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
        self._leadership.update(self._hedge.weights)
        self._labels += 1
        for one in self.experts:
            if self._labels % self.learn_every.get(one.name, 1) == 0:
                one.learn_one(window, label)

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Let the experts learn history, at once where they can; its last labels also move the weights."""
        first = len(labels) - min(WEIGHED, len(labels) // 4)
        for one in self.experts:
            fit = getattr(one, "fit", None)
            if fit is not None:
                fit(windows[:first], labels[:first])
                continue
            for window, label in zip(windows[:first], labels[:first], strict=True):
                one.learn_one(window, label)
        for window, label in zip(windows[first:], labels[first:], strict=True):
            self._learn(window, label)

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
            "learn_every": dict(self.learn_every),
            "labels": self._labels,
            "leadership": self._leadership.state(),
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
            if state["learn_every"] != self.learn_every:
                raise ModelError("the experts of the saved mix learn more or less often; build it alike")
            self._hedge.restore(state["hedge"])
            if state["leadership"]["leader"] not in (None, *range(lost.size)):
                raise ModelError("the saved mix is led by an expert that it has not; save the model again")
            self._leadership.restore(state["leadership"])
            self._labels = int(state["labels"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
        self._lost, self._mix_lost = lost, mix_lost
