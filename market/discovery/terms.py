"""Terms of a pool that its announcement does not tell, read from the pool: family, tokens, weights, fees.

Balancer's vaults register whatever calls itself a pool, and Curve's registries give an address. Which
arithmetic a pool has is told by the questions that it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chain.questions import Answer, Question, Reading
from core.reasons import Reason, Refusal
from market.discovery.answers import call, number, values
from market.discovery.sources import CURVE_NG_REGISTRIES, PoolSource, SourceKind
from market.pools.curve_stable import FEE_DENOMINATOR, MAX_COINS, Generation
from market.pools.spec import PoolSpec

_PPM = 1_000_000
_PPM_TO_FIXED = 10**12
_ADDRESS_DIGITS = 42


def completed(source: PoolSource, spec: PoolSpec) -> Reading[PoolSpec | Refusal]:
    """Read what a spec lacks; nothing is asked where an announcement tells all.

    Parameters
    ----------
    source
        Who announced the pool.
    spec
        As announced.
    """
    match source.kind:
        case SourceKind.BALANCER_V2:
            return (yield from _balancer_v2(spec))
        case SourceKind.BALANCER_V3:
            return (yield from _balancer_v3(spec))
        case SourceKind.CURVE:
            return (yield from _curve(source, spec))
    return spec


def _balancer_v2(spec: PoolSpec) -> Reading[PoolSpec | Refusal]:
    pool = spec.pool_id[:_ADDRESS_DIGITS]
    share, listed, fee, *shape = yield [
        call(pool, "getBptIndex()"),
        call(spec.address, "getPoolTokens(bytes32)", spec.pool_id),
        call(pool, "getSwapFeePercentage()"),
        *_shape_questions(pool),
    ]
    held = values(("address[]", "uint256[]", "uint256"), listed)
    if held is None or len(held[0]) < 2:
        return _unmodelled("the vault lists less than two tokens")
    swap_fee = number(fee)
    if swap_fee is None or swap_fee >= _PPM * _PPM_TO_FIXED:
        return _unmodelled("it does not say its fee")
    spec = replace(spec, tokens=tuple(held[0]), fee=swap_fee // _PPM_TO_FIXED)
    weights = _fixed_weights(shape, len(spec.tokens))
    if weights is not None:
        if swap_fee % _PPM_TO_FIXED:
            return _unmodelled(f"its fee of {swap_fee} out of 10**18 is no whole part per million")
        return replace(spec, family="weighted", weights=weights)
    place = number(share)
    if place is None or place >= len(spec.tokens) or not _has_amplification(shape):
        return _unmodelled("it has neither fixed weights, nor an amplification and a share of its own")
    tokens = (*spec.tokens[:place], *spec.tokens[place + 1 :])
    if len(tokens) < 2:
        return _unmodelled("beside its own share it has one token")
    return replace(spec, family="composable_stable", tokens=tokens)


def _balancer_v3(spec: PoolSpec) -> Reading[PoolSpec | Refusal]:
    shape = yield _shape_questions(spec.pool_id)
    if len(spec.tokens) < 2:
        return _unmodelled("it has less than two tokens")
    weights = _fixed_weights(shape, len(spec.tokens))
    if weights is not None:
        return replace(spec, family="balancer_v3_weighted", weights=weights)
    if _has_amplification(shape):
        return replace(spec, family="balancer_v3_stable")
    return _unmodelled("it has neither fixed weights nor an amplification")


def _shape_questions(pool: str) -> list[Question]:
    return [
        call(pool, "getNormalizedWeights()"),
        call(pool, "getGradualWeightUpdateParams()"),
        call(pool, "getAmplificationParameter()"),
    ]


def _fixed_weights(shape: Sequence[Answer], count: int) -> tuple[int, ...] | None:
    """Return weights that do not move: pools that sell a token change theirs over time, and say so."""
    weights = values(("uint256[]",), shape[0])
    if weights is None or len(weights[0]) != count or min(weights[0]) <= 0 or shape[1]:
        return None
    return tuple(weights[0])


def _has_amplification(shape: Sequence[Answer]) -> bool:
    return values(("uint256", "bool", "uint256"), shape[2]) is not None


def _curve(source: PoolSource, spec: PoolSpec) -> Reading[PoolSpec | Refusal]:
    meta, fee_answer, *coins = yield [
        call(source.address, "is_meta(address)", spec.pool_id),
        call(spec.pool_id, "fee()"),
        *(call(spec.pool_id, "coins(uint256)", place) for place in range(MAX_COINS)),
    ]
    if number(meta):
        return _unmodelled("it is a metapool, whose second coin is another pool's share")
    tokens = []
    for answer in coins:
        coin = values(("address",), answer)
        if coin is None or int(coin[0], 16) == 0:
            break
        tokens.append(coin[0])
    if len(tokens) < 2 or len(set(tokens)) < len(tokens):
        return _unmodelled(f"it names {len(set(tokens))} coins")
    fee = number(fee_answer)
    if fee is None or fee >= FEE_DENOMINATOR:
        return _unmodelled("it does not say its fee")
    generation = Generation.NG if source.name in CURVE_NG_REGISTRIES else Generation.TEMPLATE
    return replace(
        spec,
        family="curve_stable",
        tokens=tuple(tokens),
        fee=fee * _PPM // FEE_DENOMINATOR,
        variant=generation.value,
    )


def _unmodelled(detail: str) -> Refusal:
    return Refusal(Reason.FAMILY_NOT_SUPPORTED, detail)
