"""Balancer V3 stable pools: amplifications on the move, rates, balances far apart, overflow, all fees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.devnet.calldata import encode_call
from market.pools.amplification import Amplification
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.log_exp_math import ONE
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle, log_uniform
from tests.conformance.stages.balancer_v3 import DAY, VAULT, TokenTerms, VaultV3Chain

_TYPES = "(string,string,uint256,string)"
_LINE = "(uint64,uint64,uint32,uint32),uint256"


@dataclass(frozen=True, slots=True)
class Terms:
    """A pool of the stage."""

    tokens: tuple[TokenTerms, ...]
    amplification: int
    fee: int


POOLS = (
    Terms((TokenTerms(18, 10**24), TokenTerms(18, 3 * 10**24)), 200, 10**14),
    Terms((TokenTerms(6, 10**15), TokenTerms(6, 4 * 10**14), TokenTerms(18, 10**27)), 1_000, 10**12),
    Terms(
        (
            TokenTerms(8, 3 * 10**16, ONE * 21 // 20 + 7, True),
            TokenTerms(18, 10**26, ONE * 9 // 10, True),
            TokenTerms(18, 10**26, 2 * ONE),
        ),
        50,
        4 * 10**14,
    ),
    Terms((TokenTerms(6, 10**16), *(TokenTerms(18, 10**28 + each) for each in range(4))), 50_000, 10**12),
    Terms((TokenTerms(18, 10**27), TokenTerms(18, 10**24)), 1, 10**17),
    Terms((TokenTerms(18, 10**7), TokenTerms(18, 3 * 10**7, ONE * 6 // 5, True)), 100, 10**12),
    Terms((TokenTerms(6, 2), TokenTerms(18, 10**12)), 100, 10**12),
    Terms((TokenTerms(18, 2**117), TokenTerms(18, 2**116)), 100, 10**15),
    Terms((TokenTerms(0, 2**60), TokenTerms(18, 2**119)), 1, 10**15),
)


class BalancerV3StableStage:
    """Traded through the vault; a caller names the least output it takes."""

    family = "balancer_v3_stable"
    exact_refusal = True

    def __init__(self) -> None:
        self.chain = VaultV3Chain((0, 6, 6, 8, *(18,) * 4))
        self.oracle = Oracle(f"StablePool and Vault {self.chain.code}", published=True)
        for terms in POOLS:
            arguments = ("pool", "POOL", terms.amplification, "{}")
            self.chain.register("StablePool", _TYPES, arguments, terms.tokens, terms.fee)

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.chain.made)

    def load(self, pool_id: str) -> BalancerV3StablePool:
        account = self.chain.account(pool_id)
        made = self.chain.made[pool_id]
        spec = PoolSpec(self.family, pool_id, VAULT, tuple(made.tokens), 0)
        line, _ = self.chain.read(pool_id, _LINE, "getAmplificationState()")
        return BalancerV3StablePool(spec, account, Amplification(*line), made.now)

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """The balance, but where another token is scarce not much more than that one's."""
        assert isinstance(pool, BalancerV3StablePool)
        account, index = pool.account.charged(), pool.tokens.index(token_in)
        size = min(account.last_live[index], 10 * min(account.last_live))
        return max(size * ONE // account.factor(index), 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        return self.chain.swap(pool_id, token_in, token_out, amount_in)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        return self.chain.refuses(pool.pool_id, token_in, token_out, amount_in, amount_out)

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let time pass, then change liquidity, rates, fees, recovery mode or the amplification."""
        self.chain.wait(pool_id, log_uniform(rng, 1, 2 * DAY))
        changes = (
            self.chain.change_liquidity,
            self.chain.change_rates,
            self.chain.change_fees,
            self.chain.change_recovery,
            self._change_amplification,
        )
        changes[int(rng.integers(len(changes)))](pool_id, rng)

    def _change_amplification(self, pool_id: str, rng: np.random.Generator) -> None:
        value, moving, _ = self.chain.read(pool_id, "uint256,bool,uint256", "getAmplificationParameter()")
        if moving:
            self.chain.must_send(pool_id, encode_call("stopAmplificationParameterUpdate()"))
        low, high = max(value // 2_000 + 1, 1), min(value // 500, 50_000)
        wanted = int(rng.integers(low, max(high, low) + 1))
        ends = self.chain.made[pool_id].now + int(rng.integers(DAY, 5 * DAY))
        start = "startAmplificationParameterUpdate(uint256,uint256)"
        self.chain.must_send(pool_id, encode_call(start, wanted, ends))
