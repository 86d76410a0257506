"""Balancer V3 weighted pools: rates, yield and creator fees, recovery mode, least balances, 128 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.log_exp_math import ONE
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle, log_uniform
from tests.conformance.stages.balancer_v3 import DAY, VAULT, TokenTerms, VaultV3Chain

PERCENT = 10**16
_TYPES = "(string,string,uint256,uint256[],string,uint256[])"


@dataclass(frozen=True, slots=True)
class Terms:
    """A pool of the stage; weights in percent."""

    tokens: tuple[TokenTerms, ...]
    percent: tuple[int, ...]
    fee: int


POOLS = (
    Terms((TokenTerms(18, 8_000 * ONE), TokenTerms(18, 2_000 * ONE)), (80, 20), 25 * 10**14),
    Terms((TokenTerms(18, 10**24), TokenTerms(18, 10**21)), (50, 50), 10**13),
    Terms(
        (
            TokenTerms(6, 10**12, ONE * 11 // 10 + 7, True),
            TokenTerms(8, 10**13),
            TokenTerms(18, 10**23, 3 * ONE),
            TokenTerms(18, 10**23, ONE * 9 // 10, True),
        ),
        (40, 10, 20, 30),
        3 * 10**15,
    ),
    Terms((TokenTerms(6, 10**14), TokenTerms(18, 10**25)), (1, 99), 10**17),
    Terms(
        tuple(TokenTerms(18, 7**power) for power in range(20, 28)), (30, 10, 10, 10, 10, 10, 10, 10), 10**15
    ),
    Terms((TokenTerms(18, 10**7), TokenTerms(18, 3 * 10**7)), (50, 50), 10**15),
    Terms((TokenTerms(6, 2), TokenTerms(18, 10**13)), (33, 67), 10**15),
    Terms((TokenTerms(18, 2**127), TokenTerms(18, 2**128 - 10**9)), (80, 20), 10**15),
    Terms((TokenTerms(0, 2**60), TokenTerms(18, 2**126, ONE * 3 // 2, True)), (20, 80), 10**15),
)


class BalancerV3WeightedStage:
    """Traded through the vault; a caller names the least output it takes."""

    family = "balancer_v3_weighted"
    exact_refusal = True

    def __init__(self) -> None:
        self.chain = VaultV3Chain((0, 6, 8, *(18,) * 8))
        self.oracle = Oracle(f"WeightedPool and Vault {self.chain.code}", published=True)
        for terms in POOLS:
            self._create(terms)

    def _create(self, terms: Terms) -> None:
        order = self.chain.arranged(terms.tokens).values()
        weights = [terms.percent[place] * PERCENT for place in order]
        least = [max(10**6, 10 ** (18 - terms.tokens[place].decimals)) for place in order]
        arguments = ("pool", "POOL", len(weights), weights, "{}", least)
        self.chain.register("WeightedPool", _TYPES, arguments, terms.tokens, terms.fee)

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.chain.made)

    def load(self, pool_id: str) -> BalancerV3WeightedPool:
        account = self.chain.account(pool_id)
        (weights,) = self.chain.read(pool_id, "uint256[]", "getNormalizedWeights()")
        (least,) = self.chain.read(pool_id, "uint256[]", "getMinTokenBalances()")
        tokens = tuple(self.chain.made[pool_id].tokens)
        spec = PoolSpec(self.family, pool_id, VAULT, tokens, 0, weights=weights)
        return BalancerV3WeightedPool(spec, account, least)

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """The balance for a token of half the weight, less for more: equal steps of the price."""
        assert isinstance(pool, BalancerV3WeightedPool)
        index = pool.tokens.index(token_in)
        return max(pool.account.balances[index] * 2 * (ONE - pool.spec.weights[index]) // ONE, 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        return self.chain.swap(pool_id, token_in, token_out, amount_in)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        return self.chain.refuses(pool.pool_id, token_in, token_out, amount_in, amount_out)

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let time pass, then change liquidity, rates, fees or recovery mode."""
        self.chain.wait(pool_id, log_uniform(rng, 1, DAY))
        chain = self.chain
        changes = (chain.change_liquidity, chain.change_rates, chain.change_fees, chain.change_recovery)
        changes[int(rng.integers(len(changes)))](pool_id, rng)
