"""What the best trades of a market earn when carried out one after the other, and the most any could."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.blocks import Address
from market.pools.pool import Pool
from scoring.dual_prices import DualPrices, dual_prices
from scoring.portfolio import Portfolio, choose_portfolio
from scoring.ranking import RankedTrade

MOST_TRADES = 16
"""Of the best are considered: the time to choose grows with the cube of those that share pools."""


@dataclass(frozen=True, slots=True)
class Together:
    """A market's best set of trades, and how far the market is from having none.

    Parameters
    ----------
    considered
        How many trades, the best first, the set was chosen from.
    portfolio
        The set, in the order of execution.
    prices
        The market's dual prices. Their residual, wei before gas, is what no set of trades with at most one
        swap in each pool exceeds, but for the margin; zero where there is no arbitrage.
    """

    considered: int
    portfolio: Portfolio
    prices: DualPrices


def together(
    pools: Sequence[Pool], worth: Mapping[Address, float], trades: Sequence[RankedTrade]
) -> Together:
    """Choose the trades to carry out in one block, and bound what others could earn.

    Parameters
    ----------
    pools
        The market.
    worth
        Wei per raw unit of the tokens that trades may start in.
    trades
        Best first.
    """
    considered = trades[:MOST_TRADES]
    portfolio = choose_portfolio(
        {pool.pool_id: pool for pool in pools},
        [trade.opportunity for trade in considered],
        worth=worth,
        costs={trade.opportunity.cycle_id: trade.cost for trade in considered},
    )
    # where no trade may start none can be made
    prices = dual_prices(pools, worth) if worth else DualPrices({}, 0.0, 0.0, 0)
    return Together(len(considered), portfolio, prices)
