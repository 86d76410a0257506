"""Balancer V2 weighted pools: weights from 1 to 99 %, two to eight tokens, balances from dust to 112 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.blocks import Address
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import WEIGHTED_POOL_FACTORY
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.weighted import WeightedPool
from tests.conformance.stage import Oracle, log_uniform
from tests.conformance.stages.balancer_v2 import PACKAGE, VaultChain
from tests.conformance.stages.own_tokens import NOBODY

PERCENT = 10**16
ONE = 10**18
_PPM = 10**12
_CREATE = "create(string,string,address[],uint256[],address[],uint256,address)"
_INITIAL, _EXACT_TOKENS_IN, _ONE_TOKEN_IN = 0, 1, 2
_ONE_TOKEN_OUT, _SHARE_OUT = 0, 1


@dataclass(frozen=True, slots=True)
class Terms:
    """A pool of the stage: decimals, weight in percent and raw balance of each token, and a fee in ppm."""

    tokens: tuple[tuple[int, int, int], ...]
    fee: int


POOLS = (
    Terms(((18, 80, 8_000 * ONE), (18, 20, 2_000 * ONE)), 2_500),
    Terms(((18, 50, 10**24), (18, 50, 3 * 10**21)), 1),
    Terms(((6, 1, 10**23), (18, 99, 10**23)), 100_000),
    Terms(((0, 40, 10**15), (6, 10, 10**15), (8, 20, 10**15), (18, 30, 10**15)), 3_000),
    Terms(((18, 30, 7**20), *((18, 10, 7**power) for power in range(21, 28))), 3_000),
    Terms(((18, 50, 10**6), (18, 50, 10**7)), 3_000),
    Terms(((6, 33, 1), (6, 67, 3)), 3_000),
    Terms(((18, 80, 2**111), (18, 20, 2**112 - 10**9)), 3_000),
    Terms(((0, 90, 1), (18, 10, 2**110)), 3_000),
)


class WeightedStage:
    """Traded through the vault; a caller names the least output it takes."""

    family = "weighted"
    oracle = Oracle(f"WeightedPool of {PACKAGE}", published=True)
    exact_refusal = True

    def __init__(self) -> None:
        self.chain = VaultChain((0, 6, 6, 8) + (18,) * 8)
        self.made: dict[str, Address] = {}
        for terms in POOLS:
            self._create(terms)

    def _create(self, terms: Terms) -> None:
        rows = self.chain.tokens_for(terms.tokens)
        tokens, weights = tuple(rows), [percent * PERCENT for _, percent, _ in rows.values()]
        fee, owner = terms.fee * _PPM, self.chain.trader
        arguments = ("pool", "POOL", tokens, weights, [NOBODY] * len(tokens), fee, owner)
        address, pool_id = self.chain.create(WEIGHTED_POOL_FACTORY, _CREATE, *arguments)
        balances = [balance for _, _, balance in rows.values()]
        initial = encode_arguments("uint256,uint256[]", _INITIAL, balances)
        assert self.chain.join(pool_id, balances, initial), terms
        self.made[pool_id] = address

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.made)

    def load(self, pool_id: str) -> WeightedPool:
        address, held = self.made[pool_id], self.chain.held(pool_id)
        fee, rest = divmod(self.chain.number(address, "getSwapFeePercentage()"), _PPM)
        assert rest == 0
        (weights,) = self.chain.read(address, "uint256[]", "getNormalizedWeights()")
        spec = PoolSpec(self.family, pool_id, self.chain.vault, tuple(held), fee, weights=weights)
        decimals = tuple(self.chain.decimals[token] for token in held)
        return WeightedPool(spec, tuple(held.values()), decimals)

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """The balance for a token of half the weight, less for more: equal steps of the price."""
        assert isinstance(pool, WeightedPool)
        index = pool.tokens.index(token_in)
        return max(pool.balances[index] * 2 * (ONE - pool.spec.weights[index]) // ONE, 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        return self.chain.swap(pool_id, token_in, token_out, amount_in)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        return self.chain.refuses(pool.pool_id, token_in, token_out, amount_in, amount_out)

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Join or exit in every way there is, or change the fee."""
        address, held = self.made[pool_id], list(self.chain.held(pool_id).values())
        index = int(rng.integers(len(held)))
        share = self.chain.number(address, "balanceOf(address)", self.chain.trader)
        some = log_uniform(rng, 1, max(share // 3, 2))
        limits = [2**111] * len(held)
        match int(rng.integers(5)):
            case 0:
                amounts = [log_uniform(rng, 1, max(balance // 2, 2)) for balance in held]
                data = encode_arguments("uint256,uint256[],uint256", _EXACT_TOKENS_IN, amounts, 0)
                self.chain.join(pool_id, limits, data)
            case 1:
                data = encode_arguments("uint256,uint256,uint256", _ONE_TOKEN_IN, some, index)
                self.chain.join(pool_id, limits, data)
            case 2:
                self.chain.exit(pool_id, encode_arguments("uint256,uint256", _SHARE_OUT, some))
            case 3:
                self.chain.exit(
                    pool_id, encode_arguments("uint256,uint256,uint256", _ONE_TOKEN_OUT, some, index)
                )
            case _:
                fee = log_uniform(rng, 1, 100_000) * _PPM
                self.chain.must_send(address, encode_call("setSwapFeePercentage(uint256)", fee))
