"""Algebra V1's adaptive fee: two sigmoids of volatility, damped by a sigmoid of volume.

References
----------
Algebra V1 Core, library AdaptiveFee, and ``DataStorageOperator.getFee``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

_HIGHEST = 2**16 - 1
_VOLATILITY_SCALE = 15
"""The operator divides the volatility by it before the sigmoids."""


@dataclass(frozen=True, slots=True)
class FeeConfiguration:
    """Coefficients of a pool's fee, in the contract's order.

    Parameters
    ----------
    alpha1, alpha2
        Heights of the two sigmoids of volatility, in pips.
    beta1, beta2
        Where they are half as high.
    gamma1, gamma2
        How far they are stretched; positive.
    volume_beta, volume_gamma
        The same of the sigmoid of volume, which has the height that the other two give.
    base_fee
        Lowest fee, in pips.

    Examples
    --------
    >>> configuration = FeeConfiguration(2900, 12000, 360, 60000, 59, 8500, 0, 10, 100)
    >>> configuration.fee(0, 10**6), configuration.fee(360 * 15, 10**6), configuration.fee(10**9, 10**6)
    (100, 1550, 15000)
    """

    alpha1: int
    alpha2: int
    beta1: int
    beta2: int
    gamma1: int
    gamma2: int
    volume_beta: int
    volume_gamma: int
    base_fee: int

    def fee(self, volatility: int, volume_per_liquidity: int) -> int:
        """Return the fee in pips.

        Parameters
        ----------
        volatility
            Average square of the distance between the tick and its average.
        volume_per_liquidity
            Volume of a day per liquidity, scaled by 2**7.
        """
        scaled = volatility // _VOLATILITY_SCALE
        height = sigmoid(scaled, self.gamma1, self.alpha1, self.beta1)
        height += sigmoid(scaled, self.gamma2, self.alpha2, self.beta2)
        damped = sigmoid(volume_per_liquidity, self.volume_gamma, min(height, _HIGHEST), self.volume_beta)
        return (self.base_fee + damped) % (_HIGHEST + 1)


def sigmoid(x: int, stretch: int, height: int, middle: int) -> int:
    """Return ``height / (1 + exp((middle - x) / stretch))``, rounded as the contract does.

    Examples
    --------
    >>> sigmoid(360, 59, 2900, 360), sigmoid(0, 59, 2900, 360), sigmoid(714, 59, 2900, 360)
    (1450, 0, 2900)
    """
    distance = abs(x - middle)
    if distance >= 6 * stretch:
        return height if x > middle else 0
    one, power = stretch**8, _exponential(distance, stretch)
    return height * (power if x > middle else one) // (one + power)


def _exponential(x: int, stretch: int) -> int:
    """Return ``exp(x / stretch) * stretch**8`` by eight terms of its series, rounded as the contract does."""
    terms = sum(int(x**n) * int(stretch ** (8 - n)) // factorial(n) for n in range(7))
    return terms + x**7 * stretch // factorial(7) + x**8 // factorial(8)
