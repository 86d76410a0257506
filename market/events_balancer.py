"""Logs of Balancer's stable pools and of its V3 vault, decoded; :mod:`market.events` decodes the V2 vault's.

A pool of V2 writes changes of its parameters itself: there ``pool_id`` is its address, the first
twenty bytes of its id in the vault. A pool of V3 has no other id than its address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chain.blocks import Address, RawLog
from market.events import EventBase
from market.log_words import LogWords, decoded, malformed, place, topic_address


@dataclass(frozen=True, slots=True)
class AmpUpdateStarted(EventBase):
    """The amplification (times 1000) begins to move in a straight line between two moments."""

    start: int
    end: int
    start_time: int
    end_time: int


@dataclass(frozen=True, slots=True)
class AmpUpdateStopped(EventBase):
    """The amplification (times 1000) stays as it is."""

    value: int


@dataclass(frozen=True, slots=True)
class SwapFeePercentageChanged(EventBase):
    """New swap fee, 1e18 fixed point."""

    fee: int


@dataclass(frozen=True, slots=True)
class TokenRateCacheUpdated(EventBase):
    """A composable stable pool has cached a rate, 1e18 fixed point, until its duration has passed.

    ``place`` counts the vault's tokens, the pool's share included.
    """

    place: int
    rate: int


@dataclass(frozen=True, slots=True)
class TokenRateProviderSet(EventBase):
    """Who gives the rate of a token, and for how many seconds the pool caches it."""

    place: int
    provider: Address
    duration: int


@dataclass(frozen=True, slots=True)
class BalancerV3Swap(EventBase):
    """A swap in raw units; ``swap_fee`` is 1e18 fixed point, ``fee`` what it took of the token paid."""

    token_in: Address
    token_out: Address
    amount_in: int
    amount_out: int
    swap_fee: int
    fee: int


@dataclass(frozen=True, slots=True)
class BalancerV3Liquidity(EventBase):
    """Signed changes of balances and the swap fees they paid, raw, in the pool's order of tokens."""

    adding: bool
    changes: tuple[int, ...]
    fees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProtocolSwapFeeChanged(EventBase):
    """New share of protocol and pool creator in swap fees, 1e18 fixed point."""

    share: int


@dataclass(frozen=True, slots=True)
class ProtocolYieldFeeChanged(EventBase):
    """New share of protocol and pool creator in yield, 1e18 fixed point."""

    share: int


@dataclass(frozen=True, slots=True)
class RecoveryModeChanged(EventBase):
    """Whether a V3 pool is in recovery mode, in which protocol and pool creator have no share."""

    recovering: bool


BalancerEvent = (
    AmpUpdateStarted
    | AmpUpdateStopped
    | SwapFeePercentageChanged
    | TokenRateCacheUpdated
    | TokenRateProviderSet
    | BalancerV3Swap
    | BalancerV3Liquidity
    | ProtocolSwapFeeChanged
    | ProtocolYieldFeeChanged
    | RecoveryModeChanged
)

AMP_UPDATE_STARTED = bytes.fromhex("1835882ee7a34ac194f717a35e09bb1d24c82a3b9d854ab6c9749525b714cdf2")
AMP_UPDATE_STOPPED = bytes.fromhex("a0d01593e47e69d07e0ccd87bece09411e07dd1ed40ca8f2e7af2976542a0233")
V2_SWAP_FEE = bytes.fromhex("a9ba3ffe0b6c366b81232caab38605a0699ad5398d6cce76f91ee809e322dafc")
TOKEN_RATE_CACHE_UPDATED = bytes.fromhex("b77a83204ca282e08dc3a65b0a1ca32ea4e6875c38ef0bf5bf75e52a67354fac")
TOKEN_RATE_PROVIDER_SET = bytes.fromhex("dd6d1c9badb346de6925b358a472c937b41698d2632696759e43fd6527feeec4")
V3_SWAP_FEE = bytes.fromhex("89d41522342fabac1471ca6073a5623e5caf367b03ca6e9a001478d0cf8be4a1")
BALANCER_V3_SWAP = bytes.fromhex("0874b2d545cb271cdbda4e093020c452328b24af12382ed62c4d00f5c26709db")
LIQUIDITY_ADDED = bytes.fromhex("a26a52d8d53702bba7f137907b8e1f99ff87f6d450144270ca25e72481cca871")
LIQUIDITY_REMOVED = bytes.fromhex("fbe5b0d79fb94f1e81c0a92bf86ae9d3a19e9d1bf6202c0d3e75120f65d5d8a5")
PROTOCOL_SWAP_FEE = bytes.fromhex("e4d371097beea42453a37406e2aef4c04f3c548f84ac50e72578662c0dcd7354")
PROTOCOL_YIELD_FEE = bytes.fromhex("606eb97d83164bd6b200d638cd49c14c65d94d4f2c674cfd85e24e0e202c3ca5")
RECOVERY_MODE = bytes.fromhex("c2354cc2f78ea57777e55ddd43a7f22b112ce98868596880edaeb22b4f9c73a9")


def decode_balancer(log: RawLog) -> BalancerEvent | None:
    """Return the event a log holds, or ``None`` if its kind is not one of these.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, BALANCER_DECODERS)


def _amp_update_started(log: RawLog) -> AmpUpdateStarted:
    words = LogWords(log, 4)
    return AmpUpdateStarted(*place(log), *(words.unsigned(index, 64) for index in range(4)))


def _amp_update_stopped(log: RawLog) -> AmpUpdateStopped:
    return AmpUpdateStopped(*place(log), LogWords(log, 1).unsigned(0, 64))


def _v2_swap_fee(log: RawLog) -> SwapFeePercentageChanged:
    return SwapFeePercentageChanged(*place(log), LogWords(log, 1).unsigned(0, 64))


def _token_rate_cache_updated(log: RawLog) -> TokenRateCacheUpdated:
    return TokenRateCacheUpdated(*place(log), _topic_number(log, 1), LogWords(log, 1).unsigned(0, 96))


def _token_rate_provider_set(log: RawLog) -> TokenRateProviderSet:
    provider, duration = topic_address(log, 2), LogWords(log, 1).unsigned(0, 32)
    return TokenRateProviderSet(*place(log), _topic_number(log, 1), provider, duration)


def _v3_swap_fee(log: RawLog) -> SwapFeePercentageChanged:
    return SwapFeePercentageChanged(*_place_in_v3(log), LogWords(log, 1).unsigned(0, 64))


def _v3_swap(log: RawLog) -> BalancerV3Swap:
    words = LogWords(log, 4)
    tokens = topic_address(log, 2), topic_address(log, 3)
    return BalancerV3Swap(*_place_in_v3(log), *tokens, *(words.unsigned(index) for index in range(4)))


def _liquidity_added(log: RawLog) -> BalancerV3Liquidity:
    return _v3_liquidity(log, adding=True)


def _liquidity_removed(log: RawLog) -> BalancerV3Liquidity:
    return _v3_liquidity(log, adding=False)


def _v3_liquidity(log: RawLog, adding: bool) -> BalancerV3Liquidity:
    words = LogWords(log, None)
    if len(log.data) < 96:
        raise malformed(log, "a supply and two arrays expected")
    (amounts_at, count), (fees_at, fees) = words.array(1), words.array(2)
    if count != fees:
        raise malformed(log, "amounts and fees differ in length")
    sign = 1 if adding else -1
    changes = tuple(sign * words.unsigned(amounts_at + index) for index in range(count))
    paid = tuple(words.unsigned(fees_at + index) for index in range(count))
    return BalancerV3Liquidity(*_place_in_v3(log), adding, changes, paid)


def _protocol_swap_fee(log: RawLog) -> ProtocolSwapFeeChanged:
    return ProtocolSwapFeeChanged(*_place_in_v3(log), LogWords(log, 1).unsigned(0, 64))


def _protocol_yield_fee(log: RawLog) -> ProtocolYieldFeeChanged:
    return ProtocolYieldFeeChanged(*_place_in_v3(log), LogWords(log, 1).unsigned(0, 64))


def _recovery_mode(log: RawLog) -> RecoveryModeChanged:
    return RecoveryModeChanged(*_place_in_v3(log), bool(LogWords(log, 1).unsigned(0, 1)))


def _topic_number(log: RawLog, index: int) -> int:
    return int.from_bytes(log.topics[index], "big")


def _place_in_v3(log: RawLog) -> tuple[str, Address, int, int, int]:
    """Return pool, contract and position in the chain of a log of the V3 vault, which names the pool."""
    return topic_address(log, 1), *place(log)[1:]


BALANCER_DECODERS: dict[bytes, tuple[int, Callable[[RawLog], BalancerEvent]]] = {
    AMP_UPDATE_STARTED: (1, _amp_update_started),
    AMP_UPDATE_STOPPED: (1, _amp_update_stopped),
    V2_SWAP_FEE: (1, _v2_swap_fee),
    TOKEN_RATE_CACHE_UPDATED: (2, _token_rate_cache_updated),
    TOKEN_RATE_PROVIDER_SET: (3, _token_rate_provider_set),
    V3_SWAP_FEE: (2, _v3_swap_fee),
    BALANCER_V3_SWAP: (4, _v3_swap),
    LIQUIDITY_ADDED: (4, _liquidity_added),
    LIQUIDITY_REMOVED: (4, _liquidity_removed),
    PROTOCOL_SWAP_FEE: (2, _protocol_swap_fee),
    PROTOCOL_YIELD_FEE: (2, _protocol_yield_fee),
    RECOVERY_MODE: (2, _recovery_mode),
}
