"""Uniswap V4's own PoolManager, with the routers of its own tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.devnet.backend import TRANSACTION_GAS
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.protocols import must_send
from chain.devnet.world import approve
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE, UniswapV4Pool, pool_id_of
from market.pools.v3_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap
from tests.conformance.stage import Oracle
from tests.conformance.stages.concentrated import (
    OWNER,
    ConcentratedStage,
    Layout,
    Placed,
    Position,
    full_range,
    layouts,
)
from tests.conformance.stages.packages import creation_code

OUT = "@uniswap/v4-core/out"
FEES = ((3_000, 60), (500, 10), (10_000, 200), (100, 1), (0, 32_767), (1_000_000, 60))
"""Fee and spacing; the last ones are the least and the most that anybody may choose."""
ALL_OF_IT = Layout(1_000_000, 60, sqrt_ratio_at_tick(887_200), (Position(*full_range(60), 10**18),))
"""The fee takes everything, and inputs of a visible size do not fit 128 bits."""
TRADER: Address = "0x" + "d0" * 20
KEY = "(address,address,uint24,int24,address)"
POOLS_SLOT = 6
"""Storage slot of the PoolManager's pools; of a pool: slot0, two sums of fees, liquidity, ticks, bitmap."""
_ETHER = 2**200


class UniswapV4Stage(ConcentratedStage):
    """Pools of every usual fee, of the least and the most, at the ends, and of the native currency."""

    family = "uniswap_v4"
    oracle = Oracle("@uniswap/v4-core 1.0.2", published=True)

    def __init__(self) -> None:
        ConcentratedStage.__init__(self)
        for account in (OWNER, TRADER):
            self.backend.set_balance(account, _ETHER)
        self.manager = self.backend.deploy(OWNER, _code("PoolManager") + encode_arguments("address", OWNER))
        router = encode_arguments("address", self.manager)
        self.swaps = self.backend.deploy(OWNER, _code("PoolSwapTest") + router)
        self.positions = self.backend.deploy(OWNER, _code("PoolModifyLiquidityTestNoChecks") + router)
        control = encode_call("setProtocolFeeController(address)", OWNER)
        must_send(self.backend, OWNER, self.manager, control)
        self._native_next = False
        for layout in (*layouts(FEES, at_the_ends=10**18), ALL_OF_IT):
            self.place(layout)
        self._native_next = True
        for layout in layouts(FEES[:1], at_the_ends=10**18)[:2]:
            self.place(layout)

    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        spec = PoolSpec(self.family, "", self.manager, tokens, layout.fee, layout.spacing, hooks=NATIVE)
        data = encode_call(f"initialize({KEY},uint160)", key_of(spec), layout.sqrt_price)
        must_send(self.backend, OWNER, self.manager, data)
        return replace(spec, pool_id=pool_id_of(spec))

    def two_tokens(self) -> tuple[Address, Address]:
        tokens = ConcentratedStage.two_tokens(self)
        for token in tokens:
            give = encode_call("transfer(address,uint256)", TRADER, 2**249)
            must_send(self.backend, OWNER, token, give)
            approve(self.backend, OWNER, token, self.positions)
            approve(self.backend, TRADER, token, self.swaps)
        return (NATIVE, tokens[1]) if self._native_next else tokens

    def mint(self, spec: PoolSpec, lower: int, upper: int, liquidity: int) -> bool:
        signature = f"modifyLiquidity({KEY},(int24,int24,int256,bytes32),bytes)"
        data = encode_call(signature, key_of(spec), (lower, upper, liquidity, bytes(32)), b"")
        value = 2**140 if spec.tokens[0] == NATIVE else 0
        return self.backend.send(OWNER, self.positions, data, value).ok

    def burn(self, spec: PoolSpec, lower: int, upper: int, liquidity: int) -> bool:
        return self.mint(spec, lower, upper, -liquidity)

    def read(self, placed: Placed) -> UniswapV4Pool:
        base = self._slot_of(placed)
        slot0 = self.stored(base)
        tick = slot0 >> 160 & 0xFFFFFF
        return UniswapV4Pool(
            placed.spec,
            slot0 % 2**160,
            tick - (tick >> 23 << 24),
            self.stored(base + 3) % 2**128,
            self._ticks(placed, base),
            protocol_fee=slot0 >> 184 & 0xFFFFFF,
        )

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        spec = self.placed[pool_id].spec
        deltas = self._deltas(spec, token_in, -amount_in)
        if deltas is None or -deltas[token_in] != amount_in:
            return None
        before = self._held(token_out)
        assert self.backend.send(TRADER, self.swaps, *self._swap_call(spec, token_in, -amount_in)).ok
        return self._held(token_out) - before

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        deltas = self._deltas(pool.spec, token_in, amount_out)
        return deltas is None or deltas[token_out] < amount_out or -deltas[token_in] > amount_in

    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Set the protocol's fees, each nothing, the most or anything between."""
        fees = [int(rng.choice([0, 1_000, int(rng.integers(1, 1_000))])) for _ in range(2)]
        data = encode_call(f"setProtocolFee({KEY},uint24)", key_of(placed.spec), fees[0] | fees[1] << 12)
        must_send(self.backend, OWNER, self.manager, data)

    def stored(self, slot: int) -> int:
        """Return a storage slot of the PoolManager, as anybody may read it."""
        (word,) = self.view(self.manager, "uint256", "extsload(bytes32)", slot.to_bytes(32, "big"))
        return int(word)

    def _slot_of(self, placed: Placed) -> int:
        return _mapped(bytes.fromhex(placed.spec.pool_id[2:]), POOLS_SLOT)

    def _ticks(self, placed: Placed, base: int) -> TickMap:
        net: dict[int, int] = {}
        gross: dict[int, int] = {}
        for word in sorted(placed.words):
            bits = self.stored(_mapped(_signed(word), base + 5))
            for bit in range(bits.bit_length()):
                if bits >> bit & 1:
                    tick = (word * 256 + bit) * placed.spec.tick_spacing
                    packed = self.stored(_mapped(_signed(tick), base + 4))
                    gross[tick] = packed % 2**128
                    net[tick] = int.from_bytes((packed >> 128).to_bytes(16, "big"), "big", signed=True)
        return TickMap(net, gross)

    def _held(self, token: Address) -> int:
        if token == NATIVE:
            return self.backend.get_balance(TRADER)
        return int(self.view(token, "uint256", "balanceOf(address)", TRADER)[0])

    def _deltas(self, spec: PoolSpec, token_in: str, amount: int) -> dict[str, int] | None:
        """Return what a swap would change for the trader, exact input if negative; ``None`` if it reverts."""
        data, value = self._swap_call(spec, token_in, amount)
        evm = self.backend.evm
        mark = evm.snapshot()
        try:
            answer = evm.message_call(TRADER, self.swaps, data, value=value, gas=TRANSACTION_GAS)
        except RuntimeError:
            return None
        finally:
            evm.revert(mark)
        (packed,) = decode_result("bytes32", answer)
        amounts = (int.from_bytes(half, "big", signed=True) for half in (packed[:16], packed[16:]))
        return dict(zip(spec.tokens, amounts, strict=True))

    def _swap_call(self, spec: PoolSpec, token_in: str, amount: int) -> tuple[bytes, int]:
        falls = token_in == spec.tokens[0]
        limit = MIN_SQRT_RATIO + 1 if falls else MAX_SQRT_RATIO - 1
        signature = f"swap({KEY},(bool,int256,uint160),(bool,bool),bytes)"
        data = encode_call(signature, key_of(spec), (falls, amount, limit), (False, False), b"")
        return data, 2**140 if token_in == NATIVE else 0


def key_of(spec: PoolSpec) -> tuple[Address, Address, int, int, Address]:
    """Return a pool's key, in the order that the PoolManager takes it."""
    return (*spec.tokens, spec.fee, spec.tick_spacing, spec.hooks)  # type: ignore[return-value]


def _code(name: str) -> bytes:
    return creation_code(f"{OUT}/{name}.sol/{name}.json")


def _signed(value: int) -> bytes:
    return value.to_bytes(32, "big", signed=True)


def _mapped(key: bytes, slot: int) -> int:
    """Return the storage slot of a mapping's entry."""
    return int.from_bytes(keccak(key + slot.to_bytes(32, "big")), "big")
