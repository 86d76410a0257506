"""Curve's StableSwap pools of three generations, our own contract: Curve publishes no bytecode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chain.blocks import Address
from chain.devnet.anvil import BLOCK_TIME
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.protocols import must_send
from chain.devnet.receipts import Receipt
from market.pools.amplification import Amplification
from market.pools.curve_stable import FEE_DENOMINATOR, RATE_DIGITS, CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle

OWNER: Address = "0x" + "a0" * 20
"""Owns the pools and everything that is traded."""
SUPPLY = 2**250
START = 1_700_000_000
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Layout:
    """A pool as it is set up; A in the generation's own unit, fees out of 10**10.

    No pool is without a fee: there the contract's own rounding can pay a few units for nothing.
    """

    generation: Generation
    decimals: tuple[int, ...]
    amounts: tuple[float, ...]
    amplification: int
    fee: int = 4_000_000
    admin_fee: int = 5 * 10**9
    offpeg_multiplier: int = 0


LEGACY, TEMPLATE, NG = Generation
LAYOUTS = (
    Layout(LEGACY, (18, 6, 6), (1e8, 1e8, 8e7), 2_000, fee=1_000_000),  # as 3pool
    Layout(LEGACY, (18, 18), (250_000, 310_000), 50),
    Layout(LEGACY, (18, 6, 6, 18), (3e6, 2e6, 5e6, 1e6), 90),
    Layout(TEMPLATE, (18, 6), (2e7, 3e7), 20_000),
    Layout(TEMPLATE, (8, 8, 18), (300, 500, 400), 10_000, fee=30_000_000, admin_fee=0),
    Layout(TEMPLATE, (18,) * 8, (1e5, 2e5, 3e5, 1e5, 5e5, 2e5, 4e5, 1e5), 3_000),
    Layout(NG, (18, 6), (4e6, 2e6), 150_000, fee=1_000_000, offpeg_multiplier=10 * 10**10),
    Layout(NG, (18, 18, 6), (1e6, 2e6, 5e5), 40_000, offpeg_multiplier=5 * 10**10),
    Layout(NG, (6, 6), (1e7, 8e6), 100_000, offpeg_multiplier=0),
    Layout(LEGACY, (18, 18), (1e6, 1), 100),  # far out of balance
    Layout(TEMPLATE, (18, 6), (1, 1e7), 100),
    Layout(NG, (18, 18), (1e9, 1e-6), 20_000, offpeg_multiplier=20 * 10**10),
    Layout(LEGACY, (6, 6), (1e-6, 1e-6), 200),  # a unit each
    Layout(NG, (18, 18), (1e-18, 1e-15), 20_000, offpeg_multiplier=2 * 10**10),
    Layout(LEGACY, (18, 18), (1e19, 1e19), 100),  # the invariant is at the edge of 256 bits
    Layout(NG, (18, 18), (1e20, 5e19), 100, offpeg_multiplier=2 * 10**10),
    Layout(TEMPLATE, (18, 18), (1e3, 1e3), 100_000_000, fee=10**5),  # the largest A
    Layout(TEMPLATE, (18, 18), (1e3, 2e3), 100, fee=FEE_DENOMINATOR // 2),  # A is one, half is fee
    Layout(LEGACY, (18, 18), (0, 0), 100),
)


class CurveStableStage:
    """Pools, each with a clock of its own: its A may move, and its blocks are those it is traded in."""

    family = "curve_stable"
    oracle = Oracle(
        "our CurveStablePool",
        published=False,
        vectors="curvesim 0.5.0, 45 vectors; 26 trades of mainnet",
    )
    exact_refusal = True

    def __init__(self) -> None:
        self.backend = PyrevmBackend()
        self.specs: dict[str, PoolSpec] = {}
        self.generations: dict[str, Generation] = {}
        self.clocks: dict[str, int] = {}
        self.base_rates: dict[str, tuple[int, ...]] = {}
        for layout in LAYOUTS:
            self._place(layout)

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.specs)

    def load(self, pool_id: str) -> Pool:
        spec = self.specs[pool_id]
        count = len(spec.tokens)
        initial, future, start, end = (
            self._number(pool_id, f"{name}()")
            for name in ("initial_A", "future_A", "initial_A_time", "future_A_time")
        )
        return CurveStablePool(
            spec,
            tuple(self._number(pool_id, "balances(uint256)", index) for index in range(count)),
            tuple(self._number(pool_id, "rates(uint256)", index) for index in range(count)),
            Amplification(initial, future, start, end),
            self._number(pool_id, "fee()"),
            self._number(pool_id, "admin_fee()"),
            self.generations[pool_id],
            self._number(pool_id, "offpeg_fee_multiplier()"),
            self.clocks[pool_id],
        )

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """Return a quarter of the scarcest coin's worth, in units of the coin that is paid."""
        assert isinstance(pool, CurveStablePool)
        scaled = (balance * rate for balance, rate in zip(pool.balances, pool.rates, strict=True))
        return max(min(scaled) // pool.rates[pool.tokens.index(token_in)] // 4, 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        receipt = self._exchange(pool_id, token_in, token_out, amount_in, 0)
        if not receipt.ok:
            return None
        (log,) = (log for log in receipt.logs if log.address == pool_id)
        *_, bought = decode_result("int128,uint256,int128,uint256", log.data)
        return int(bought)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        return not self._exchange(pool.pool_id, token_in, token_out, amount_in, amount_out).ok

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let time pass, and then change A, fees, rates or balances."""
        self.clocks[pool_id] += int(rng.integers(0, DAY))
        change = rng.choice([self._ramp, self._set_fees, self._set_rates, self._move_liquidity])
        change(pool_id, rng)

    def _ramp(self, pool_id: str, rng: np.random.Generator) -> None:
        one = 1 if self.generations[pool_id] is LEGACY else 100
        moved = int(self._number(pool_id, "future_A()") * 2.0 ** rng.uniform(-1, 1))
        future = min(max(moved, one), 10**6 * one)
        end = self.clocks[pool_id] + int(rng.integers(1, 7 * DAY))
        self._must(pool_id, "ramp_A(uint256,uint256)", future, end)
        self.clocks[pool_id] += int(rng.integers(0, DAY))

    def _set_fees(self, pool_id: str, rng: np.random.Generator) -> None:
        fee, admin_fee = int(rng.integers(10**5, 10**8)), int(rng.integers(0, FEE_DENOMINATOR + 1))
        multiplier = int(rng.integers(0, 30 * FEE_DENOMINATOR)) if self.generations[pool_id] is NG else 0
        self._must(pool_id, "set_fees(uint256,uint256,uint256)", fee, admin_fee, multiplier)

    def _set_rates(self, pool_id: str, rng: np.random.Generator) -> None:
        rates = tuple(int(rate * rng.uniform(0.9, 1.3)) for rate in self.base_rates[pool_id])
        self._must(pool_id, "set_rates(uint256[])", rates)

    def _move_liquidity(self, pool_id: str, rng: np.random.Generator) -> None:
        """Deposit up to a quarter of every balance or withdraw as much, out of proportion."""
        adding = rng.random() < 0.5
        shares = rng.uniform(0, 0.25, len(self.specs[pool_id].tokens))
        balances = (self._number(pool_id, "balances(uint256)", index) for index in range(len(shares)))
        amounts = tuple(
            int(balance * (share if adding else share / (1 + share)))
            for balance, share in zip(balances, shares, strict=True)
        )
        self._must(pool_id, "deposit(uint256[])" if adding else "withdraw(uint256[])", amounts)

    def _place(self, layout: Layout) -> None:
        tokens = tuple(self._token(places) for places in layout.decimals)
        rates = tuple(10 ** (RATE_DIGITS - places) for places in layout.decimals)
        terms = (list(Generation).index(layout.generation), tokens, rates, layout.amplification)
        code = load_artifact("CurveStablePool").bytecode
        code += encode_arguments("uint8,address[],uint256[],uint256", *terms)
        pool = self.backend.deploy(OWNER, code)
        self.specs[pool] = PoolSpec(self.family, pool, pool, tokens, layout.fee // 10**4)
        self.generations[pool], self.clocks[pool], self.base_rates[pool] = layout.generation, START, rates
        for token in tokens:
            approval = encode_call("approve(address,uint256)", pool, 2**256 - 1)
            must_send(self.backend, OWNER, token, approval)
        fees = (layout.fee, layout.admin_fee, layout.offpeg_multiplier)
        self._must(pool, "set_fees(uint256,uint256,uint256)", *fees)
        sizes = zip(layout.amounts, layout.decimals, strict=True)
        self._must(pool, "deposit(uint256[])", tuple(round(amount * 10**places) for amount, places in sizes))

    def _token(self, decimals: int) -> Address:
        terms = encode_arguments("string,string,uint8,address", "coin", "COIN", decimals, OWNER)
        token = self.backend.deploy(OWNER, load_artifact("TestToken").bytecode + terms)
        must_send(self.backend, OWNER, token, encode_call("mint(address,uint256)", OWNER, SUPPLY))
        return token

    def _exchange(
        self, pool_id: str, token_in: str, token_out: str, amount_in: int, minimum_out: int
    ) -> Receipt:
        tokens = self.specs[pool_id].tokens
        terms = (tokens.index(token_in), tokens.index(token_out), amount_in, minimum_out)
        return self._send(pool_id, "exchange(int128,int128,uint256,uint256)", *terms)

    def _send(self, pool_id: str, signature: str, *arguments: Any) -> Receipt:
        """Mine a block with one call, at the pool's own time."""
        self.backend.timestamp = self.clocks[pool_id] - BLOCK_TIME
        return self.backend.send(OWNER, pool_id, encode_call(signature, *arguments))

    def _must(self, pool_id: str, signature: str, *arguments: Any) -> None:
        assert self._send(pool_id, signature, *arguments).ok, signature

    def _number(self, pool_id: str, signature: str, *arguments: Any) -> int:
        data = encode_call(signature, *arguments)
        return int(decode_result("uint256", self.backend.call(pool_id, data, OWNER))[0])
