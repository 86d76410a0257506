"""Logs of Curve's StableSwap pools, decoded: trades, liquidity, A and fees.

Old pools log amounts in arrays of as many words as they have coins, so each number of coins
has topics of its own; the newest generation has arrays of any length. Some logs do not say
what happened to each balance; :class:`CurveUnstated` tells that the pool must be read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chain.blocks import RawLog
from market.events import EventBase
from market.log_words import LogWords, decoded, malformed, place
from market.pools.amplification import Amplification
from market.pools.curve_stable import FEE_DENOMINATOR, MAX_COINS


@dataclass(frozen=True, slots=True)
class CurveExchange(EventBase):
    """``TokenExchange``: coins by place, raw amounts; the administrator's part of the fee is not in it."""

    sold: int
    bought: int
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class CurveLiquidity(EventBase):
    """``AddLiquidity``, ``RemoveLiquidity`` or ``RemoveLiquidityImbalance``.

    Parameters
    ----------
    amounts
        Of each coin, positive if paid to the pool.
    fees
        Of each coin, in raw units; the administrator's part of them leaves the balances too.
    """

    amounts: tuple[int, ...]
    fees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CurveUnstated(EventBase):
    """``RemoveLiquidityOne`` or ``TokenExchangeUnderlying``: balances changed, the log leaves open how."""


@dataclass(frozen=True, slots=True)
class CurveRamp(EventBase):
    """``RampA`` or ``StopRampA``: where A is going, in the contract's unit."""

    amplification: Amplification


@dataclass(frozen=True, slots=True)
class CurveFees(EventBase):
    """``NewFee`` or ``ApplyNewFee``: fees out of 10**10; ``None`` for those that the log does not change."""

    fee: int
    admin_fee: int | None
    offpeg_multiplier: int | None


CurveEvent = CurveExchange | CurveLiquidity | CurveUnstated | CurveRamp | CurveFees

TOKEN_EXCHANGE = bytes.fromhex("8b3e96f2b889fa771c53c981b40daf005f63f637f1869f707052d15a3dd97140")
RAMP_A = bytes.fromhex("a2b71ec6df949300b59aab36b55e189697b750119dd349fcfa8c0f779e83c254")
STOP_RAMP_A = bytes.fromhex("46e22fb3709ad289f62ce63d469248536dbc78d82b84a3d7e74ad606dc201938")
NEW_FEE = bytes.fromhex("be12859b636aed607d5230b2cc2711f68d70e51060e6cca1f575ef5d2fcc95d1")
APPLY_NEW_FEE = bytes.fromhex("a8715770654f54603947addf38c689adbd7182e21673b28bcf306a957aaba215")
APPLY_NEW_FEE_NG = bytes.fromhex("750d10a7f37466ce785ee6bcb604aac543358db42afbcc332a3c12a49c80bf6d")
ADD_LIQUIDITY_NG = bytes.fromhex("189c623b666b1b45b83d7178f39b8c087cb09774317ca2f53c2d3c3726f222a2")
REMOVE_LIQUIDITY_NG = bytes.fromhex("347ad828e58cbe534d8f6b67985d791360756b18f0d95fd9f197a66cc46480ea")
REMOVE_IMBALANCE_NG = bytes.fromhex("3631c28b1f9dd213e0319fb167b554d76b6c283a41143eb400a0d1adb1af1755")
ADD_LIQUIDITY = {
    2: bytes.fromhex("26f55a85081d24974e85c6c00045d0f0453991e95873f52bff0d21af4079a768"),
    3: bytes.fromhex("423f6495a08fc652425cf4ed0d1f9e37e571d9b9529b1c1c23cce780b2e7df0d"),
    4: bytes.fromhex("3f1915775e0c9a38a57a7bb7f1f9005f486fb904e1f84aa215364d567319a58d"),
    5: bytes.fromhex("38b7b1a287854d9e1805f88b66038659ee32e1d1362fccaba44923d3159ed493"),
    6: bytes.fromhex("b75cb646d689818d2094e33e76c4c61b0c191da6a9d9c33e68e2a599c552a7d8"),
    7: bytes.fromhex("301dcd67d82fe8ed345a97ca49547a2f06d21f27e7a05f3e5f28eb40b1dcbe15"),
    8: bytes.fromhex("1c9ab14f21b1a006fe118d6a90c08c8faf6f18e45fd16a78f059c85ce1dd10d5"),
}
"""By number of coins."""
REMOVE_LIQUIDITY = {
    2: bytes.fromhex("7c363854ccf79623411f8995b362bce5eddff18c927edc6f5dbbb5e05819a82c"),
    3: bytes.fromhex("a49d4cf02656aebf8c771f5a8585638a2a15ee6c97cf7205d4208ed7c1df252d"),
    4: bytes.fromhex("9878ca375e106f2a43c3b599fc624568131c4c9a4ba66a14563715763be9d59d"),
    5: bytes.fromhex("41ad86b931b621f30a3c50b0a81ba5d68071e47f52399c0628d6c44294c3f207"),
    6: bytes.fromhex("50785567786321872d9fb6489b0346f324f223751a07092732964302b47bf5ab"),
    7: bytes.fromhex("3395d65477b7eb8fa2a2d301f3044675a88fe611b56c5c38f5b1e601bd3081a4"),
    8: bytes.fromhex("92906545a66f632fe59e5e9fff0088f6657095a61fe16d51186595e6383eabdb"),
}
REMOVE_IMBALANCE = {
    2: bytes.fromhex("2b5508378d7e19e0d5fa338419034731416c4f5b219a10379956f764317fd47e"),
    3: bytes.fromhex("173599dbf9c6ca6f7c3b590df07ae98a45d74ff54065505141e7de6c46a624c2"),
    4: bytes.fromhex("b964b72f73f5ef5bf0fdc559b2fab9a7b12a39e47817a547f1f0aee47febd602"),
    5: bytes.fromhex("c604f7b11e407e81b2c8d0d402b62a5244388c3eff3de7694a32bf418a3f360f"),
    6: bytes.fromhex("12a087e3c3dc9ab2fde2696c1a25b4ab8e56582dd91663298fc91cd4f8341e12"),
    7: bytes.fromhex("7b3e9a12f6ba95be0994d0081a51c20ddeb29215d8374fcd15cbba37205524c6"),
    8: bytes.fromhex("06f456afe29fc4ab3ed527b1bf38e4e0caf69e65626282269e0d07554e638b2f"),
}
UNSTATED = {
    bytes.fromhex("d013ca23e77a65003c2c659c5442c00c805371b7fc1ebd4c206c41d1536bd90b"): 4,
    bytes.fromhex("6f48129db1f37ccb9cc5dd7e119cb32750cabdf75b48375d730d26ce3659bbe1"): 4,
    bytes.fromhex("5ad056f2e28a8cec232015406b843668c1e36cda598127ec3b8c59b8c72773a0"): 3,
    bytes.fromhex("9e96dd3b997a2a257eec4df9bb6eaf626e206df5f543bd963682d143300be310"): 2,
}
"""``TokenExchangeUnderlying`` and three kinds of ``RemoveLiquidityOne``, with their words of data."""


def decode_curve(log: RawLog) -> CurveEvent | None:
    """Return the event a log holds, or ``None`` if it is of another kind.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, CURVE_DECODERS)


def _exchange(log: RawLog) -> CurveExchange:
    words = LogWords(log, 4)
    sold, bought = words.unsigned(0, 128), words.unsigned(2, 128)
    if sold == bought or max(sold, bought) >= MAX_COINS:
        raise malformed(log, f"coins {sold} and {bought} are not two of a pool")
    return CurveExchange(*place(log), sold, bought, words.unsigned(1), words.unsigned(3))


def _liquidity(log: RawLog, sign: int, count: int, after: int) -> CurveLiquidity:
    """Decode two arrays of ``count`` words; ``after`` more words follow."""
    words = LogWords(log, 2 * count + after)
    amounts = tuple(sign * words.unsigned(index) for index in range(count))
    return CurveLiquidity(
        *place(log), amounts, tuple(words.unsigned(count + index) for index in range(count))
    )


def _liquidity_ng(log: RawLog, sign: int) -> CurveLiquidity:
    """Decode two arrays of any length; no fees are as many zeros."""
    words = LogWords(log, None)
    if len(log.data) < 96:
        raise malformed(log, "two arrays and a supply expected")
    (amounts_at, count), (fees_at, fees) = words.array(0), words.array(1)
    if not 2 <= count <= MAX_COINS or fees not in (0, count):
        raise malformed(log, f"{count} amounts and {fees} fees are not those of a pool")
    return CurveLiquidity(
        *place(log),
        tuple(sign * words.unsigned(amounts_at + index) for index in range(count)),
        tuple(words.unsigned(fees_at + index) for index in range(fees)) or (0,) * count,
    )


def _unstated(log: RawLog, count: int) -> CurveUnstated:
    LogWords(log, count)
    return CurveUnstated(*place(log))


def _ramp(log: RawLog) -> CurveRamp:
    words = LogWords(log, 4)
    initial, future, start, end = (words.unsigned(index) for index in range(4))
    if min(initial, future) == 0 or end < start:
        raise malformed(log, f"A cannot move from {initial} to {future} between {start} and {end}")
    return CurveRamp(*place(log), Amplification(initial, future, start, end))


def _stopped_ramp(log: RawLog) -> CurveRamp:
    amplification = LogWords(log, 2).unsigned(0)
    if amplification == 0:
        raise malformed(log, "A cannot be zero")
    return CurveRamp(*place(log), Amplification.constant(amplification))


def _fees(log: RawLog, admin_fee: bool, multiplier: bool) -> CurveFees:
    words = LogWords(log, 1 + admin_fee + multiplier)
    fee, other = words.unsigned(0), words.unsigned(1)
    if fee > FEE_DENOMINATOR or (admin_fee and other > FEE_DENOMINATOR):
        raise malformed(log, f"fees {fee} and {other} are not out of 10**10")
    return CurveFees(*place(log), fee, other if admin_fee else None, other if multiplier else None)


CURVE_DECODERS: dict[bytes, tuple[int, Callable[[RawLog], CurveEvent]]] = {
    TOKEN_EXCHANGE: (2, _exchange),
    ADD_LIQUIDITY_NG: (2, partial(_liquidity_ng, sign=1)),
    REMOVE_LIQUIDITY_NG: (2, partial(_liquidity_ng, sign=-1)),
    REMOVE_IMBALANCE_NG: (2, partial(_liquidity_ng, sign=-1)),
    RAMP_A: (1, _ramp),
    STOP_RAMP_A: (1, _stopped_ramp),
    NEW_FEE: (1, partial(_fees, admin_fee=True, multiplier=False)),
    APPLY_NEW_FEE: (1, partial(_fees, admin_fee=False, multiplier=False)),
    APPLY_NEW_FEE_NG: (1, partial(_fees, admin_fee=False, multiplier=True)),
    **{
        topic: (2, partial(_liquidity, sign=sign, count=count, after=after))
        for topics, sign, after in (
            (ADD_LIQUIDITY, 1, 2),
            (REMOVE_LIQUIDITY, -1, 1),
            (REMOVE_IMBALANCE, -1, 2),
        )
        for count, topic in topics.items()
    },
    **{topic: (2, partial(_unstated, count=count)) for topic, count in UNSTATED.items()},
}
