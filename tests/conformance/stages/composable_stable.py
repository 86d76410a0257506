"""Balancer V2 composable stable pools: rates that expire, amplifications on the move, dust and overflow.

Every pool has a clock of its own, which only :meth:`ComposableStableStage.disturb` moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import FEE_PERCENTAGES_PROVIDER
from chain.devnet.rules import GENESIS_TIME
from market.pools.amplification import Amplification
from market.pools.composable_stable import MAX_BALANCE, CachedRate, ComposableStablePool
from market.pools.log_exp_math import ONE, mul_down
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle, log_uniform
from tests.conformance.stages.balancer_v2 import PACKAGE, VaultChain
from tests.conformance.stages.own_tokens import NOBODY

START = GENESIS_TIME + 86_400
DAY = 86_400
_CREATE = "create(string,string,address[],uint256,address[],uint256[],bool[],uint256,address)"
_INITIAL, _EXACT_TOKENS_IN, _ONE_TOKEN_IN = 0, 1, 2
_ONE_TOKEN_OUT, _EXACT_TOKENS_OUT, _SHARE_OUT = 0, 1, 2
_SLOTS_SEARCHED = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """A pool of the stage.

    A token has decimals, a raw balance, and seconds that its rate is cached; -1 if it has no rate.
    """

    tokens: tuple[tuple[int, int, int], ...]
    amplification: int
    fee: int


POOLS = (
    Terms(((18, 10**24, -1), (18, 3 * 10**24, -1)), 200, 10**14),
    Terms(((6, 10**15, -1), (6, 4 * 10**14, -1), (18, 10**27, -1)), 1_000, 123_456_789_012_345),
    Terms(((8, 3 * 10**16, 3_600), (18, 10**27, 0), (18, 10**27, -1)), 50, 4 * 10**14),
    Terms(
        ((6, 10**15, 60), (8, 10**17, -1), (18, 10**27, 86_400), (18, 10**27, 0), (18, 10**27, -1)),
        5_000,
        10**12,
    ),
    Terms(((18, 10**27, -1), (18, 10**24, -1)), 1, 10**17),
    Terms(((18, 10**6, -1), (18, 10**7, 10)), 100, 10**12),
    Terms(((6, 2, -1), (18, 10**12, -1)), 100, 10**12),
    Terms(((18, 2**109, -1), (18, 2**110, -1)), 300, 10**15),
    Terms(((0, 10**15, -1), (0, 10**14, -1)), 1, 10**15),
)


@dataclass(slots=True)
class Made:
    """A pool that was created."""

    address: Address
    slot: int
    now: int
    providers: dict[Address, Address]


class ComposableStableStage:
    """Traded through the vault; a caller names the least output it takes."""

    family = "composable_stable"
    oracle = Oracle(f"ComposableStablePool (February 2023) of {PACKAGE}", published=True)
    exact_refusal = True

    def __init__(self) -> None:
        self.chain = VaultChain((0, 0, 6, 6, 8, 18, 18, 18))
        terms = (self.chain.vault, FEE_PERCENTAGES_PROVIDER, "{}", "{}")
        code = load_artifact("ComposableStablePoolFactory").bytecode
        code += encode_arguments("address,address,string,string", *terms)
        self.factory = self.chain.deploy(code)
        self.made: dict[str, Made] = {}
        for pool_terms in POOLS:
            self._create(pool_terms)

    def _create(self, terms: Terms) -> None:
        self.chain.stand_at(START)
        rows = self.chain.tokens_for(terms.tokens)
        providers = {token: self._provider() for token, (_, _, duration) in rows.items() if duration >= 0}
        arguments = (
            "pool",
            "POOL",
            tuple(rows),
            terms.amplification,
            [providers.get(token, NOBODY) for token in rows],
            [max(duration, 0) for _, _, duration in rows.values()],
            [False] * len(rows),
            terms.fee,
            self.chain.trader,
        )
        address, pool_id = self.chain.create(self.factory, _CREATE, *arguments)
        self.made[pool_id] = Made(address, self._slot_of(address, terms.amplification), START, providers)
        held = self.chain.held(pool_id)
        amounts = [rows[token][1] if token in rows else MAX_BALANCE for token in held]
        initial = encode_arguments("uint256,uint256[]", _INITIAL, amounts)
        assert self.chain.join(pool_id, [MAX_BALANCE] * len(held), initial), terms

    def _provider(self) -> Address:
        code = load_artifact("SettableRate").bytecode + encode_arguments("uint256", ONE * 21 // 20 + 7)
        return self.chain.deploy(code)

    def _slot_of(self, address: Address, amplification: int) -> int:
        """Return where the pool stores its amplification: no function tells the line of an update."""
        value = amplification * 1_000
        packed = value | value << 64 | START << 128 | START << 192
        slots = range(_SLOTS_SEARCHED)
        return next(slot for slot in slots if self.chain.backend.get_storage(address, slot) == packed)

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.made)

    def load(self, pool_id: str) -> ComposableStablePool:
        made = self._stand_at(pool_id)
        held = self.chain.held(pool_id)
        del held[made.address]
        fee = self.chain.number(made.address, "getSwapFeePercentage()")
        spec = PoolSpec(self.family, pool_id, self.chain.vault, tuple(held), 0)
        decimals = tuple(self.chain.decimals[token] for token in held)
        rates = tuple(self._rate(made, token) for token in held)
        packed = self.chain.backend.get_storage(made.address, made.slot)
        line = Amplification(*(packed >> shift & 2**64 - 1 for shift in (0, 64, 128, 192)))
        return ComposableStablePool(spec, tuple(held.values()), decimals, rates, line, fee, made.now)

    def _rate(self, made: Made, token: Address) -> CachedRate | None:
        if token not in made.providers:
            return None
        provided = self.chain.number(made.providers[token], "getRate()")
        types, signature = "uint256,uint256,uint256,uint256", "getTokenRateCache(address)"
        rate, _, duration, expires = self.chain.read(made.address, types, signature, token)
        return CachedRate(rate, provided, duration, expires)

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """The balance, but where another token is scarce not much more than that one's."""
        assert isinstance(pool, ComposableStablePool)
        factors = [
            10 ** (18 - places) * (cached.rate if cached else ONE)
            for places, cached in zip(pool.decimals, pool.rates, strict=True)
        ]
        scaled = [mul_down(*pair) for pair in zip(pool.balances, factors, strict=True)]
        index = pool.tokens.index(token_in)
        return max(min(scaled[index], 10 * min(scaled)) * ONE // factors[index], 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        self._stand_at(pool_id)
        return self.chain.swap(pool_id, token_in, token_out, amount_in)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        self._stand_at(pool.pool_id)
        return self.chain.refuses(pool.pool_id, token_in, token_out, amount_in, amount_out)

    def _stand_at(self, pool_id: str) -> Made:
        made = self.made[pool_id]
        self.chain.stand_at(made.now)
        return made

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let time pass, then change liquidity, a rate, the amplification or the fee."""
        made = self.made[pool_id]
        made.now += log_uniform(rng, 1, 2 * DAY)
        self._stand_at(pool_id)
        changes = (self._liquidity, self._share_swap, self._rates, self._amplification, self._fee)
        changes[int(rng.integers(len(changes)))](pool_id, rng)

    def _liquidity(self, pool_id: str, rng: np.random.Generator) -> None:
        address = self.made[pool_id].address
        balances = [balance for token, balance in self.chain.held(pool_id).items() if token != address]
        index, share = int(rng.integers(len(balances))), self._some_share(address, rng)
        limits = [2**111] * (len(balances) + 1)
        amounts = [log_uniform(rng, 1, max(balance // 4, 2)) for balance in balances]
        match int(rng.integers(5)):
            case 0:
                data = encode_arguments("uint256,uint256[],uint256", _EXACT_TOKENS_IN, amounts, 0)
                self.chain.join(pool_id, limits, data)
            case 1:
                data = encode_arguments("uint256,uint256,uint256", _ONE_TOKEN_IN, share, index)
                self.chain.join(pool_id, limits, data)
            case 2:
                data = encode_arguments("uint256,uint256,uint256", _ONE_TOKEN_OUT, share, index)
                self.chain.exit(pool_id, data)
            case 3:
                data = encode_arguments("uint256,uint256[],uint256", _EXACT_TOKENS_OUT, amounts, 2**111)
                self.chain.exit(pool_id, data)
            case _:
                self.chain.exit(pool_id, encode_arguments("uint256,uint256", _SHARE_OUT, share))

    def _share_swap(self, pool_id: str, rng: np.random.Generator) -> None:
        """Join or exit by a swap with the pool's own share."""
        address = self.made[pool_id].address
        held = self.chain.held(pool_id)
        token = str(rng.choice([token for token in held if token != address]))
        if rng.random() < 0.5:
            self.chain.swap(pool_id, token, address, log_uniform(rng, 1, max(held[token] // 3, 2)))
        else:
            self.chain.swap(pool_id, address, token, self._some_share(address, rng))

    def _some_share(self, address: Address, rng: np.random.Generator) -> int:
        share = self.chain.number(address, "balanceOf(address)", self.chain.trader)
        return log_uniform(rng, 1, max(share // 4, 2))

    def _rates(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let providers say another rate; renew some caches, and wait for the last second of others."""
        made = self.made[pool_id]
        for token, provider in made.providers.items():
            rate = log_uniform(rng, 0.9 * ONE, 1.6 * ONE)
            self.chain.must_send(provider, encode_call("setRate(uint256)", rate))
            match int(rng.integers(4)):
                case 0:
                    duration = int(rng.integers(0, DAY))
                    call = encode_call("setTokenRateCacheDuration(address,uint256)", token, duration)
                    self.chain.must_send(made.address, call)
                case 1:
                    self.chain.must_send(made.address, encode_call("updateTokenRateCache(address)", token))
                case 2:
                    made.now = max(made.now, self._expires(made, token) + int(rng.integers(2)))
                    self._stand_at(pool_id)

    def _expires(self, made: Made, token: Address) -> int:
        cached = self._rate(made, token)
        assert cached
        return cached.expires

    def _amplification(self, pool_id: str, rng: np.random.Generator) -> None:
        made = self.made[pool_id]
        value, moving, _ = self.chain.read(
            made.address, "uint256,bool,uint256", "getAmplificationParameter()"
        )
        if moving:
            self.chain.must_send(made.address, encode_call("stopAmplificationParameterUpdate()"))
        low, high = max(value // 2_000 + 1, 1), min(value // 500, 5_000)
        wanted = int(rng.integers(low, max(high, low) + 1))
        ends = made.now + int(rng.integers(DAY, 5 * DAY))
        call = encode_call("startAmplificationParameterUpdate(uint256,uint256)", wanted, ends)
        self.chain.must_send(made.address, call)

    def _fee(self, pool_id: str, rng: np.random.Generator) -> None:
        call = encode_call("setSwapFeePercentage(uint256)", log_uniform(rng, 10**12, 10**17))
        self.chain.must_send(self.made[pool_id].address, call)
