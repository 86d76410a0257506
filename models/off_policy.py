"""What another bid policy would have earned, from bids that were drawn with known chances.

Three estimates of the same number. Weighting each reward by how much more often the other policy would have
bid so is unbiased and noisy; dividing by the weights' sum is steadier and biased a little; a model of the
reward, corrected by weighted residuals, is unbiased whatever the model, and steady if it is good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Reason, Refusal
from models.intervals import Estimate, bernstein_interval, ratio_interval

Floats = NDArray[np.float64]

LEAST_EFFECTIVE_ROWS = 30.0
"""Rows of equal weight that an estimate must be worth; with fewer its interval cannot be trusted."""

_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class BidLog:
    """Bids as they were drawn, and what they earned.

    Parameters
    ----------
    propensities
        ``float64[row, action]``: chance with which each action was drawn; rows sum to one.
    action
        ``int64[row]``: the action that was drawn; its chance is above zero.
    reward
        ``float64[row]``: what it earned, in [0, 1]: the share of the value that was kept.

    Raises
    ------
    ModelError
        If shapes do not fit, or a number is out of range.
    """

    propensities: Floats
    action: NDArray[np.int64]
    reward: Floats

    def __post_init__(self) -> None:
        check_policy(self.propensities)
        rows, actions = self.propensities.shape
        if self.action.shape != (rows,) or self.reward.shape != (rows,):
            raise ModelError("a log has one action and one reward a row", rows=rows)
        if not ((self.action >= 0) & (self.action < actions)).all():
            raise ModelError("a logged action is none of those with a chance", actions=actions)
        if (self.propensities[np.arange(rows), self.action] <= 0).any():
            raise ModelError("an action was logged whose chance is zero; its propensities are wrong")
        if not ((self.reward >= 0) & (self.reward <= 1)).all():
            raise ModelError("rewards lie in [0, 1]; log the share of the value that was kept")


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy would have earned a row.

    Parameters
    ----------
    weighted, self_normalised, doubly_robust
        Estimates with bootstrap intervals.
    guaranteed
        The weighted estimate with an interval that holds for any number of independent rows; wide.
    effective_rows
        Rows of equal weight that the log is worth for this policy.
    """

    weighted: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate
    guaranteed: Estimate
    effective_rows: float


def check_policy(chances: Floats) -> None:
    """Refuse what is no table of chances.

    Raises
    ------
    ModelError
        If it is not ``float64[row, action]`` with rows of chances that sum to one, or has no row.
    """
    if chances.ndim != 2 or not chances.size:
        raise ModelError("a policy is a table of rows and actions, with at least one of each")
    if not (chances >= 0).all() or (np.abs(chances.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
        raise ModelError("chances are at least 0 and sum to one in each row")


def weights(log: BidLog, policy: Floats) -> Floats | Refusal:
    """Return how much more often a policy would have taken each logged action.

    Parameters
    ----------
    log
        Bids as drawn.
    policy
        ``float64[row, action]``: chances of the other policy on the same rows.

    Returns
    -------
    float64[row] or Refusal
        Refused if the policy does what the log never tried, or if few rows carry all the weight.

    Raises
    ------
    ModelError
        If the policy is no table of chances for these rows.
    """
    check_policy(policy)
    if policy.shape != log.propensities.shape:
        raise ModelError("a policy has as many rows and actions as the log", shape=policy.shape)
    rows = np.arange(len(log.action))
    untried = int(((policy > 0) & (log.propensities <= 0)).any(axis=1).sum())
    if untried:
        return Refusal(
            Reason.NO_OVERLAP,
            f"in {untried} of {len(rows)} rows the policy may bid what was never tried",
        )
    weight: Floats = policy[rows, log.action] / log.propensities[rows, log.action]
    effective = effective_rows(weight)
    if effective < LEAST_EFFECTIVE_ROWS:
        return Refusal(
            Reason.FEW_EFFECTIVE_ROWS,
            f"the log is worth {effective:.1f} rows for this policy, {LEAST_EFFECTIVE_ROWS:.0f} are needed",
        )
    return weight


def effective_rows(weight: Floats) -> float:
    """Return the number of rows of equal weight that tell as much.

    References
    ----------
    Kish, "Survey Sampling" (1965).

    Examples
    --------
    >>> effective_rows(np.array([2.0, 2.0, 0.0, 0.0]))
    2.0
    """
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def policy_value(
    log: BidLog,
    policy: Floats,
    model: Floats,
    random: np.random.Generator,
    *,
    length: int = 1,
    level: float = 0.95,
) -> PolicyValue | Refusal:
    """Estimate what a policy would have earned a row.

    Parameters
    ----------
    log
        Bids as drawn.
    policy
        ``float64[row, action]``: its chances, which may depend on what was known before the row only.
    model
        ``float64[row, action]``: expected rewards, forecast before the row's outcome.
    random
        Draws the bootstrap.
    length
        Consecutive rows drawn together, more than one where rows depend on each other.
    level
        Coverage of the intervals.

    Raises
    ------
    ModelError
        If tables do not fit the log.

    References
    ----------
    Dudík, Langford and Li, "Doubly Robust Policy Evaluation and Learning" (2011). Swaminathan and Joachims,
    "The Self-Normalized Estimator for Counterfactual Learning" (2015).
    """
    weight = weights(log, policy)
    if isinstance(weight, Refusal):
        return weight
    robust = _robust_terms(log, policy, model, weight)
    widest = _largest_weight(log, policy)
    effective = effective_rows(weight)
    terms = (weight * log.reward, weight, robust)
    return value_of_terms(*terms, widest, effective, random, length=length, level=level)


def value_of_terms(
    weighted: Floats,
    weight: Floats,
    robust: Floats,
    widest: float,
    effective: float,
    random: np.random.Generator,
    *,
    length: int,
    level: float,
) -> PolicyValue:
    """Return the estimates that rows come to.

    Parameters
    ----------
    weighted, weight, robust
        ``float64[row]``: weighted rewards, weights, and terms of the doubly robust estimate.
    widest
        The largest weighted reward that a row could have had.
    effective
        Rows of equal weight that they are worth.
    random, length, level
        As of :func:`policy_value`.
    """
    ones = np.ones(len(weight))
    return PolicyValue(
        weighted=ratio_interval(weighted, ones, random, length=length, level=level),
        self_normalised=ratio_interval(weighted, weight, random, length=length, level=level),
        doubly_robust=ratio_interval(robust, ones, random, length=length, level=level),
        guaranteed=bernstein_interval(weighted, widest, level=level),
        effective_rows=effective,
    )


def policy_gain(
    log: BidLog,
    policy: Floats,
    other: Floats,
    model: Floats,
    random: np.random.Generator,
    *,
    length: int = 1,
    level: float = 0.95,
) -> Estimate | Refusal:
    """Estimate how much more a policy would have earned a row than another, doubly robust.

    Both are estimated on the same rows, so what they share cancels and the interval is narrower than two.
    Parameters are those of :func:`policy_value`.

    Raises
    ------
    ModelError
        If tables do not fit the log.
    """
    terms = []
    for each in (policy, other):
        weight = weights(log, each)
        if isinstance(weight, Refusal):
            return weight
        terms.append(_robust_terms(log, each, model, weight))
    ones = np.ones(len(log.reward))
    return ratio_interval(terms[0] - terms[1], ones, random, length=length, level=level)


def _robust_terms(log: BidLog, policy: Floats, model: Floats, weight: Floats) -> Floats:
    if model.shape != policy.shape or not np.isfinite(model).all():
        raise ModelError("a model of rewards has a finite number for each row and action", shape=model.shape)
    residual = log.reward - model[np.arange(len(weight)), log.action]
    terms: Floats = (policy * model).sum(axis=1) + weight * residual
    return terms


def _largest_weight(log: BidLog, policy: Floats) -> float:
    """Return the largest weight any draw could have had; policies that do not overlap are refused before."""
    tried = log.propensities > 0
    return float((policy[tried] / log.propensities[tried]).max())
