"""Concentrated liquidity pools of Uniswap V4: V3's walk in one contract, with a protocol's fee on top.

A pool is a key (two currencies, fee, spacing, hooks) inside the PoolManager; its id is the key's hash. The
native currency is the zero address. A hooks contract may do anything during a swap that its address
permits, and a fee may be left to it; such pools are refused, since state alone does not say what they pay.

References
----------
Uniswap V4 Core, ``Pool.swap``, libraries SwapMath, ProtocolFeeLibrary, LPFeeLibrary and Hooks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eth_utils.crypto import keccak

from chain.blocks import Address
from core.reasons import Reason, Refusal
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec
from market.pools.v3_walk import Path

NATIVE: Address = "0x" + "00" * 20
"""The chain's own coin, as a currency."""
DYNAMIC_FEE = 0x800000
"""Fee in a key that leaves the fee to the hooks."""

_PPM = 1_000_000
_SWAP_PERMISSIONS = 1 << 7 | 1 << 6 | 1 << 3 | 1 << 2
"""Before and after a swap, and with a delta of its own before and after it."""
_HIGHEST_PROTOCOL_FEE = 1_000
_HIGHEST_AMOUNT = 2**127 - 1


def pool_id_of(spec: PoolSpec) -> str:
    """Return the id that the PoolManager gives a key.

    Parameters
    ----------
    spec
        Currencies in order, ``fee``, ``tick_spacing`` and ``hooks``; ``pool_id`` is not looked at.

    Examples
    --------
    >>> spec = PoolSpec("uniswap_v4", "", "0xm", (NATIVE, "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"), 500,
    ...                 tick_spacing=10, hooks=NATIVE)
    >>> pool_id_of(spec)
    '0x96d4b53a38337a5733179751781178a2613306063c511b78cd02684739288c0a'
    """
    words = (*spec.tokens, hex(spec.fee), hex(spec.tick_spacing), spec.hooks)
    return "0x" + keccak(b"".join(int(word, 16).to_bytes(32, "big") for word in words)).hex()


def unsupported(spec: PoolSpec) -> Refusal | None:
    """Return why a pool cannot be traded from its state, or ``None`` if it can.

    Examples
    --------
    >>> from dataclasses import replace
    >>> spec = PoolSpec("uniswap_v4", "", "0xm", ("0xa", "0xb"), 500, tick_spacing=10, hooks=NATIVE)
    >>> unsupported(spec), unsupported(replace(spec, hooks="0x" + "00" * 19 + "30"))
    (None, None)
    >>> str(unsupported(replace(spec, hooks="0x" + "00" * 19 + "80")))
    'hooks_not_supported: the hooks take part in swaps, permissions 0x80'
    >>> unsupported(replace(spec, fee=DYNAMIC_FEE)).reason
    <Reason.DYNAMIC_FEE_NOT_SUPPORTED: 'dynamic_fee_not_supported'>
    """
    permissions = int(spec.hooks, 16) & _SWAP_PERMISSIONS
    if permissions:
        detail = f"the hooks take part in swaps, permissions {permissions:#x}"
        return Refusal(Reason.HOOKS_NOT_SUPPORTED, detail)
    if spec.fee == DYNAMIC_FEE:
        return Refusal(Reason.DYNAMIC_FEE_NOT_SUPPORTED, "the fee is left to the hooks")
    return None


@dataclass(frozen=True, slots=True)
class UniswapV4Pool(ConcentratedPool):
    """A pool of the PoolManager.

    Parameters
    ----------
    spec
        ``pool_id`` the 32-byte id, ``address`` the PoolManager, ``fee`` the liquidity providers' fee in
        pips, ``hooks`` an address.
    sqrt_price_x96, tick, liquidity, ticks
        See :class:`market.pools.concentrated.ConcentratedPool`.
    protocol_fee
        As in ``slot0``: pips for token0 in the lower 12 bits, for token1 in the upper 12.

    Examples
    --------
    >>> spec = PoolSpec("uniswap_v4", "0x01", "0xm", ("0xa", "0xb"), 3000, tick_spacing=60, hooks=NATIVE)
    >>> pool = UniswapV4Pool(spec, 2**96, 0, 2 * 10**18, {-6000: 2 * 10**18, 6000: -2 * 10**18})
    >>> pool.swap("0xa", "0xb", 10**17).amount_out
    94965947516311854
    >>> pool.with_protocol_fee(1000 << 12).fee_of(True), pool.with_protocol_fee(1000 << 12).fee_of(False)
    (3000, 3997)
    """

    protocol_fee: int = 0

    def __post_init__(self) -> None:
        if max(self.protocol_fee & 0xFFF, self.protocol_fee >> 12) > _HIGHEST_PROTOCOL_FEE:
            raise self._impossible("a protocol's fee is at most a thousand pips")
        if not 0 <= self.spec.fee <= _PPM and self.spec.fee != DYNAMIC_FEE:
            raise self._impossible("the fee must be at most a million pips")
        if not self.spec.hooks:
            raise self._impossible("the hooks must be an address, the zero address if there are none")
        self._check_state()

    def fee_of(self, zero_for_one: bool) -> int:
        """Return the protocol's fee and, from what is left, the liquidity providers', in pips."""
        protocol = self.protocol_fee & 0xFFF if zero_for_one else self.protocol_fee >> 12
        return protocol + self.spec.fee - protocol * self.spec.fee // _PPM

    def with_protocol_fee(self, protocol_fee: int) -> UniswapV4Pool:
        """Return the pool after ``ProtocolFeeUpdated``."""
        return replace(self, protocol_fee=protocol_fee)

    def path(self, zero_for_one: bool, amount: int, limit: int | None = None) -> Path:
        """Return the way of a swap, see :meth:`ConcentratedPool.path`.

        Raises
        ------
        SwapRefused
            If the pool is not initialised, or an output is asked for and the fee is all of the input.
        """
        if amount < 0 and self.fee_of(zero_for_one) == _PPM:
            raise self._refused(Reason.ZERO_LIQUIDITY, "the fee is all of the input", amount)
        return ConcentratedPool.path(self, zero_for_one, amount, limit)

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the pool pays for ``amount_in``, and the pool after it.

        Raises
        ------
        SwapRefused
            For hooks or a fee that state does not tell, for no input, no liquidity to take all of it,
            or amounts beyond 128 bits.
        """
        refusal = unsupported(self.spec)
        if refusal is not None:
            raise self._refused(refusal.reason, refusal.detail, amount_in)
        swap = ConcentratedPool.swap(self, token_in, token_out, amount_in)
        if max(amount_in, swap.amount_out) > _HIGHEST_AMOUNT:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "an amount exceeds 128 bits", amount_in)
        return swap

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fees; 0.0 if nothing can be traded."""
        if unsupported(self.spec) is not None:
            return 0.0
        return ConcentratedPool.marginal_rate(self, token_in, token_out)
