"""Logs of Pancake V3, Algebra V1 and Uniswap V4 that Uniswap V3 does not have, decoded.

Pancake V3 and Algebra V1 share ``Initialize``, ``Mint`` and ``Burn`` with Uniswap V3, Algebra V1 and
Slipstream ``Swap`` too; :mod:`market.events` decodes those. Amounts of all swaps have the same sign here,
positive if paid to the pool; Uniswap V4 itself writes them as the trader sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chain.blocks import Address, RawLog
from market.events import EventBase, V3Swap
from market.log_words import LogWords, checked_tick, decoded, malformed, place, place_in_vault, topic_address
from market.pools.algebra_fee import FeeConfiguration


@dataclass(frozen=True, slots=True)
class PancakeV3Swap(V3Swap):
    """Pancake V3 ``Swap``: Uniswap V3's, and what the protocol took of the fee."""

    protocol_fee0: int
    protocol_fee1: int


@dataclass(frozen=True, slots=True)
class AlgebraFee(EventBase):
    """Algebra V1 ``Fee``: the block's fee in pips, renewed by its first swap or change of liquidity."""

    fee: int


@dataclass(frozen=True, slots=True)
class AlgebraFeeConfiguration(EventBase):
    """Algebra V1 ``FeeConfiguration``: new coefficients; written by the pool's ``dataStorageOperator``."""

    configuration: FeeConfiguration


@dataclass(frozen=True, slots=True)
class V4Initialize(EventBase):
    """Uniswap V4 ``Initialize``: a pool's key and its first price."""

    currency0: Address
    currency1: Address
    fee: int
    tick_spacing: int
    hooks: Address
    sqrt_price_x96: int
    tick: int


@dataclass(frozen=True, slots=True)
class V4Swap(V3Swap):
    """Uniswap V4 ``Swap``: as in Uniswap V3, and the fee it paid in pips, the protocol's included."""

    fee: int


@dataclass(frozen=True, slots=True)
class V4ModifyLiquidity(EventBase):
    """Uniswap V4 ``ModifyLiquidity``: liquidity added between two ticks, taken away if negative."""

    lower: int
    upper: int
    amount: int


@dataclass(frozen=True, slots=True)
class V4ProtocolFee(EventBase):
    """Uniswap V4 ``ProtocolFeeUpdated``: both directions' fees as ``slot0`` packs them."""

    protocol_fee: int


V3FamilyEvent = (
    PancakeV3Swap
    | AlgebraFee
    | AlgebraFeeConfiguration
    | V4Initialize
    | V4Swap
    | V4ModifyLiquidity
    | V4ProtocolFee
)

PANCAKE_V3_SWAP = bytes.fromhex("19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83")
ALGEBRA_FEE = bytes.fromhex("598b9f043c813aa6be3426ca60d1c65d17256312890be5118dab55b0775ebe2a")
ALGEBRA_FEE_CONFIGURATION = bytes.fromhex("86821edb04a8df5bac675c23c1eb986257da59363579c86d977a66fa59896b9d")
V4_INITIALIZE = bytes.fromhex("dd466e674ea557f56295e2d0218a125ea4b4f0f6f3307b95f85e6110838d6438")
V4_SWAP = bytes.fromhex("40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f")
V4_MODIFY_LIQUIDITY = bytes.fromhex("f208f4912782fd25c7f114ca3723a2d5dd6f3bcc3ac8db5af63baa85f711d5ec")
V4_PROTOCOL_FEE = bytes.fromhex("e9c42593e71f84403b84352cd168d693e2c9fcd1fdbcc3feb21d92b43e6696f9")


def decode_v3_family(log: RawLog) -> V3FamilyEvent | None:
    """Return the event a log holds, or ``None`` if its kind is not one of these.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, V3_FAMILY_DECODERS)


def _pancake_v3_swap(log: RawLog) -> PancakeV3Swap:
    words = LogWords(log, 7)
    state = words.sqrt_price(2), words.unsigned(3, 128), words.tick(4)
    fees = words.unsigned(5, 128), words.unsigned(6, 128)
    return PancakeV3Swap(*place(log), words.signed(0), words.signed(1), *state, *fees)


def _algebra_fee(log: RawLog) -> AlgebraFee:
    return AlgebraFee(*place(log), LogWords(log, 1).unsigned(0, 16))


def _algebra_fee_configuration(log: RawLog) -> AlgebraFeeConfiguration:
    words = LogWords(log, 9)
    bits = (16, 16, 32, 32, 16, 16, 32, 16, 16)
    coefficients = (words.unsigned(index, each) for index, each in enumerate(bits))
    return AlgebraFeeConfiguration(*place(log), FeeConfiguration(*coefficients))


def _v4_initialize(log: RawLog) -> V4Initialize:
    words = LogWords(log, 5)
    fee, spacing = words.unsigned(0, 24), words.signed(1, 24)
    if spacing <= 0:
        raise malformed(log, f"tick spacing {spacing} is not positive")
    key = topic_address(log, 2), topic_address(log, 3), fee, spacing, words.address(2)
    return V4Initialize(*place_in_vault(log), *key, words.sqrt_price(3), words.tick(4))


def _v4_swap(log: RawLog) -> V4Swap:
    words = LogWords(log, 6)
    amounts = -words.signed(0, 128), -words.signed(1, 128)
    state = words.sqrt_price(2), words.unsigned(3, 128), words.tick(4)
    return V4Swap(*place_in_vault(log), *amounts, *state, words.unsigned(5, 24))


def _v4_modify_liquidity(log: RawLog) -> V4ModifyLiquidity:
    words = LogWords(log, 4)
    lower, upper = checked_tick(log, words.signed(0)), checked_tick(log, words.signed(1))
    if lower >= upper:
        raise malformed(log, f"tick {lower} is not below {upper}")
    return V4ModifyLiquidity(*place_in_vault(log), lower, upper, words.signed(2, 128))


def _v4_protocol_fee(log: RawLog) -> V4ProtocolFee:
    return V4ProtocolFee(*place_in_vault(log), LogWords(log, 1).unsigned(0, 24))


V3_FAMILY_DECODERS: dict[bytes, tuple[int, Callable[[RawLog], V3FamilyEvent]]] = {
    PANCAKE_V3_SWAP: (3, _pancake_v3_swap),
    ALGEBRA_FEE: (1, _algebra_fee),
    ALGEBRA_FEE_CONFIGURATION: (1, _algebra_fee_configuration),
    V4_INITIALIZE: (4, _v4_initialize),
    V4_SWAP: (3, _v4_swap),
    V4_MODIFY_LIQUIDITY: (3, _v4_modify_liquidity),
    V4_PROTOCOL_FEE: (2, _v4_protocol_fee),
}
