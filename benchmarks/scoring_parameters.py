"""The shape of a market in numbers: as fitted to a recorded one, and as prototypes were measured on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """Shape of a market; shares of one group add up to one.

    Parameters
    ----------
    hubs_in_pool
        Shares of pools that hold no hub token, one, and two.
    hub_shares
        Which hub it is, of the pools that hold one; the first hub is the native token.
    hub_decimals
        Of each hub.
    tokens_per_pool
        Tokens of the market over its pools.
    depth_mean, depth_std
        Of the natural logarithm of what one side of a pool is worth, in wei of the native token.
    price_mean, price_std
        Of the natural logarithm of a whole token's price in the native token.
    decimals, fees
        Shares of tokens that are no hubs by decimals, and of pools by fee, ppm: ``(what, share)``.
    noise
        How far a pool's log price is off, one standard deviation, at the mean depth.
    noise_slope
        By how much its logarithm falls as a pool is one e-fold deeper.
    swap_cost
        Wei of the native token.
    starts
        In how many of the hubs, from the first on, cycles may start.
    """

    hubs_in_pool: tuple[float, float, float]
    hub_shares: tuple[float, ...]
    hub_decimals: tuple[int, ...]
    tokens_per_pool: float
    depth_mean: float
    depth_std: float
    price_mean: float
    price_std: float
    decimals: tuple[tuple[int, float], ...]
    fees: tuple[tuple[int, float], ...]
    noise: float
    noise_slope: float
    swap_cost: float
    starts: int


FITTED = MarketParameters(
    hubs_in_pool=(0.009804, 0.8627, 0.1275),
    hub_shares=(0.775, 0.1114, 0.05227, 0.04318, 0.01591, 0.002273),
    hub_decimals=(18, 6, 6, 18, 8, 18),
    tokens_per_pool=0.3961,
    depth_mean=44.61,
    depth_std=2.776,
    price_mean=-9.182,
    price_std=4.284,
    decimals=((6, 0.01546), (8, 0.04124), (9, 0.03608), (18, 0.9072)),
    fees=((100, 0.01406), (500, 0.06426), (2500, 0.01606), (3000, 0.6827), (10_000, 0.2229)),
    noise=0.006948,
    noise_slope=0.29,
    swap_cost=1.36e15,
    starts=6,
)
"""What :func:`benchmarks.scoring_fit.fit` makes of the larger recorded market, to four digits."""

REFERENCE = MarketParameters(
    hubs_in_pool=(0.25, 0.667, 0.083),
    hub_shares=(1 / 6,) * 6,
    hub_decimals=(18, 6, 6, 18, 8, 18),
    tokens_per_pool=0.35,
    depth_mean=44.5,
    depth_std=2.0,
    price_mean=-6.9,
    price_std=3.0,
    decimals=((6, 0.1), (8, 0.05), (9, 0.1), (18, 0.75)),
    fees=((3000, 1.0),),
    noise=0.004,
    noise_slope=0.0,
    swap_cost=0.0,
    starts=1,
)
"""The market that figures of prototypes were measured on: one noise for all pools, and no costs."""
