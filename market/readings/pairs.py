"""Read pools of two reserves: Uniswap V2 and its copies, and Solidly's two curves."""

from __future__ import annotations

from dataclasses import replace

from chain.questions import Reading
from core.errors import MarketError
from market.pools.solidly import STABLE, SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.readings.answers import View, address_of, read, same, same_pair

_UNISWAP_WORDS, _CAMELOT_WORDS = 3, 4
_CAMELOT_PPM = 10
"""Camelot counts fees out of 100,000."""
_SOLIDLY_PPM = 100
"""Solidly's factories count them out of 10,000."""


def read_pair(spec: PoolSpec) -> Reading[UniswapV2Pool]:
    """Read reserves, and the fees by token of a pair that shows them (Camelot V2).

    Raises
    ------
    MarketError
        If the pair has other tokens, or Camelot's stable curve.
    """
    views = [
        View(spec.address, "getReserves()", words=_UNISWAP_WORDS, more=True),
        View(spec.address, "token0()"),
        View(spec.address, "token1()"),
    ]
    state, token0, token1 = yield from read(views)
    same_pair(spec, token0, token1)
    if len(state) == _UNISWAP_WORDS:
        return UniswapV2Pool(spec, state[0], state[1])
    if len(state) != _CAMELOT_WORDS:
        raise MarketError(f"{spec.address} gives {len(state)} words of reserves; it is no pair we know")
    ((stable,),) = yield from read([View(spec.address, "stableSwap()")])
    if stable:
        raise MarketError("the pair has Camelot's stable curve, which is not modelled; leave it out")
    fee0, fee1 = (fee * _CAMELOT_PPM for fee in state[2:])
    return UniswapV2Pool(replace(spec, fees=(fee0, fee1)), state[0], state[1])


def read_solidly(spec: PoolSpec) -> Reading[SolidlyPool]:
    """Read reserves and decimals from the pool, and the fee in force from its factory.

    Raises
    ------
    MarketError
        If the pool has other tokens or the other curve.
    """
    factory = spec.factory
    if not factory:
        ((word,),) = yield from read([View(spec.address, "factory()")])
        factory = address_of(word)
    views = [
        View(spec.address, "metadata()", words=7),
        View(factory, "getFee(address,bool)", (spec.address, spec.family == STABLE)),
    ]
    (unit0, unit1, reserve0, reserve1, stable, token0, token1), (fee,) = yield from read(views)
    same_pair(spec, (token0,), (token1,))
    same("curve", bool(stable), spec.family == STABLE)
    described = replace(spec, fee=fee * _SOLIDLY_PPM)
    return SolidlyPool(described, reserve0, reserve1, (_decimals(unit0), _decimals(unit1)))


def _decimals(unit: int) -> int:
    places = len(str(unit)) - 1
    if unit != 10**places:
        raise MarketError("a token's unit is no power of ten; check the pool's family", unit=unit)
    return places
