"""Estimates whose intervals reach from the worst that may have been to the best.

References
----------
Manski, "Partial Identification of Probability Distributions" (2003), chapter 1.
"""

from __future__ import annotations

from models.intervals import Estimate
from models.off_policy import PolicyValue


def spanned(found: Estimate, least: Estimate, most: Estimate) -> Estimate:
    """Return an estimate with the lower end of the worst case and the upper end of the best.

    Parameters
    ----------
    found
        What is likeliest; it lies between the ends.
    least, most
        The same if everything that is open had gone one way or the other.

    Examples
    --------
    >>> spanned(Estimate(0.3, 0.2, 0.4), Estimate(0.1, 0.0, 0.2), Estimate(0.5, 0.4, 0.6))
    Estimate(value=0.3, lower=0.0, upper=0.6)
    """
    return Estimate(min(max(found.value, least.lower), most.upper), least.lower, most.upper)


def spanned_value(found: PolicyValue, least: PolicyValue, most: PolicyValue) -> PolicyValue:
    """Return the value of a policy with each interval as in :func:`spanned`."""
    return PolicyValue(
        weighted=spanned(found.weighted, least.weighted, most.weighted),
        self_normalised=spanned(found.self_normalised, least.self_normalised, most.self_normalised),
        doubly_robust=spanned(found.doubly_robust, least.doubly_robust, most.doubly_robust),
        guaranteed=spanned(found.guaranteed, least.guaranteed, most.guaranteed),
        effective_rows=found.effective_rows,
    )
