from __future__ import annotations

from math import inf, isfinite

import pytest

from scoring.market_ranking import Wish, best_cycles
from scoring.market_scan import Scannable
from scoring.together import MOST_TRADES, together


@pytest.mark.parametrize("seed", range(3))
def test_the_set_lies_between_the_best_single_trade_and_the_residual(markets, seed: int) -> None:
    pools = tuple(pool for pool in markets.pools(seed, 14) if pool.family != "weighted")
    worth = {markets.weth: 1.0}
    scanned = Scannable(pools, (markets.weth,), worth, {}, {}, {}, {})
    ranking = best_cycles(scanned, {}, 0, Wish(10, 4, inf)).ranking
    assert ranking.best
    found = together(pools, worth, ranking.best)
    assert found.considered == min(len(ranking.best), MOST_TRADES)
    assert found.portfolio.total_net >= ranking.best[0].net * (1 - 1e-12)
    if isfinite(found.portfolio.upper_bound):
        assert found.portfolio.total_net <= found.prices.upper_bound


def test_a_market_without_arbitrage_has_no_set_and_no_residual(markets) -> None:
    pools = tuple(markets.pools(1, 1))
    found = together(pools, {markets.weth: 1.0}, ())
    assert found.considered == 0
    assert found.portfolio.opportunities == ()
    assert found.prices.residual <= found.prices.margin + 1.0
