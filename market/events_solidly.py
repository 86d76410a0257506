"""Logs of pairs that Uniswap V2 does not have, decoded: Solidly's, and Camelot's fees.

Everything else that Camelot's pairs log, :mod:`market.events` decodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chain.blocks import RawLog
from market.events import EventBase
from market.log_words import LogWords, decoded, place, topic_address


@dataclass(frozen=True, slots=True)
class SolidlySync(EventBase):
    """Solidly ``Sync``: both reserves, raw units, without fees."""

    reserve0: int
    reserve1: int


@dataclass(frozen=True, slots=True)
class SolidlySwap(EventBase):
    """Velodrome V2 and Aerodrome V2 ``Swap``: flow only; the ``Sync`` before it carries the state."""

    amount0_in: int
    amount1_in: int
    amount0_out: int
    amount1_out: int


@dataclass(frozen=True, slots=True)
class SolidlyCustomFee(EventBase):
    """Factory's ``SetCustomFee``: a pool's own fee in 1/10000; 0 is none of its own, 420 is no fee.

    See :func:`market.pools.solidly.fee_in_force`. A change of the default fees is not logged.
    """

    fee: int


@dataclass(frozen=True, slots=True)
class PairFees(EventBase):
    """Camelot V2 ``FeePercentUpdated``: the fee of each token, in 1/100000."""

    fee0: int
    fee1: int


SolidlyEvent = SolidlySync | SolidlySwap | SolidlyCustomFee | PairFees

SOLIDLY_SYNC = bytes.fromhex("cf2aa50876cdfbb541206f89af0ee78d44a2abf8d328e37fa4917f982149848a")
SOLIDLY_SWAP = bytes.fromhex("b3e2773606abfd36b5bd91394b3a54d1398336c65005baf7bf7a05efeffaf75b")
SET_CUSTOM_FEE = bytes.fromhex("ae468ce586f9a87660fdffc1448cee942042c16ae2f02046b134b5224f31936b")
FEE_PERCENT_UPDATED = bytes.fromhex("a4877b8ecb5a00ba277e4bceeeb187a669e7113649774dfbea05c259ce27f17b")


def decode_solidly(log: RawLog) -> SolidlyEvent | None:
    """Return the event a log holds, or ``None`` if it is of another kind.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, SOLIDLY_DECODERS)


def _sync(log: RawLog) -> SolidlySync:
    words = LogWords(log, 2)
    return SolidlySync(*place(log), words.unsigned(0), words.unsigned(1))


def _swap(log: RawLog) -> SolidlySwap:
    words = LogWords(log, 4)
    return SolidlySwap(*place(log), *(words.unsigned(index) for index in range(4)))


def _custom_fee(log: RawLog) -> SolidlyCustomFee:
    return SolidlyCustomFee(topic_address(log, 1), *place(log)[1:], LogWords(log, 1).unsigned(0, 16))


def _pair_fees(log: RawLog) -> PairFees:
    words = LogWords(log, 2)
    return PairFees(*place(log), words.unsigned(0, 16), words.unsigned(1, 16))


SOLIDLY_DECODERS: dict[bytes, tuple[int, Callable[[RawLog], SolidlyEvent]]] = {
    SOLIDLY_SYNC: (1, _sync),
    SOLIDLY_SWAP: (3, _swap),
    SET_CUSTOM_FEE: (2, _custom_fee),
    FEE_PERCENT_UPDATED: (1, _pair_fees),
}
