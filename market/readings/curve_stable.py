"""Read Curve's StableSwap pools of three generations; the description's ``variant`` says which.

The oldest pools count coins with ``int128`` and may have no ramp of A. Pools that lend their coins
out, and pools on top of another pool, compute rates that are no state of theirs; both are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from chain.blocks import Address
from chain.questions import Reading
from core.errors import MarketError
from market.pools.amplification import Amplification
from market.pools.curve_stable import RATE_DIGITS, CurveStablePool, Generation
from market.pools.spec import PoolSpec
from market.readings.answers import View, Words, address_of, array_at, decimals_of, read, same
from market.readings.ramp import line_through
from market.tokens import Token

Found = Mapping[tuple[str, tuple[int | Address, ...]], Words]
"""What each function gave, by signature and arguments."""

_FEES = ("fee()", "admin_fee()")
_RAMP = ("initial_A()", "future_A()", "initial_A_time()", "future_A_time()")
_BASES = ("base_pool()", "BASE_POOL()")


def read_curve(spec: PoolSpec, tokens: Mapping[Address, Token], timestamp: int) -> Reading[CurveStablePool]:
    """Read balances, rates, fees and A, all in one round.

    Raises
    ------
    MarketError
        If the pool is of another generation or has other coins than described, lends its coins out,
        or stands on another pool.
    """
    generation = _generation(spec)
    views = _views(spec, generation)
    words = yield from read(views)
    found = {(view.signature, view.arguments): each for view, each in zip(views, words, strict=True)}
    _check_coins(spec, found)
    fee, admin_fee = (found[each, ()][0] for each in _FEES)
    offpeg_multiplier = found["offpeg_fee_multiplier()", ()][0] if generation is Generation.NG else 0
    return CurveStablePool(
        spec,
        _numbered(found, "balances", len(spec.tokens)),
        _rates(spec, found, tokens, generation),
        _amplification(found, generation, timestamp),
        fee,
        admin_fee,
        generation,
        offpeg_multiplier,
        timestamp,
    )


def _generation(spec: PoolSpec) -> Generation:
    try:
        return Generation(spec.variant)
    except ValueError:
        raise MarketError(
            f"a Curve pool's variant is one of {', '.join(Generation)}, not {spec.variant!r}; "
            "correct its description"
        ) from None


def _views(spec: PoolSpec, generation: Generation) -> list[View]:
    """Return all that is asked of a pool; one coin more than described must not be there."""
    pool, count = spec.address, len(spec.tokens)
    indices = ("uint256", "int128") if generation is Generation.LEGACY else ("uint256",)
    numbered = [("coins", count + 1), ("balances", count), ("underlying_coins", count)]
    optional = [*_RAMP, *_BASES] if generation is Generation.LEGACY else [*_BASES]
    value = "A()" if generation is Generation.LEGACY else "A_precise()"
    required = [*_FEES, value] if generation is Generation.LEGACY else [*_FEES, value, *_RAMP]
    newest = generation is Generation.NG
    return [
        *(
            View(pool, f"{name}({kind})", (place,), optional=True)
            for name, places in numbered
            for kind in indices
            for place in range(places)
        ),
        *(View(pool, each, optional=True) for each in optional),
        *(View(pool, each) for each in required),
        *([View(pool, "offpeg_fee_multiplier()")] if newest else []),
        View(pool, "stored_rates()", words=count, more=True, optional=not newest),
    ]


def _numbered(found: Found, name: str, count: int) -> Words:
    """Return what a function gave for each coin, by whichever index the contract takes."""
    for kind in ("uint256", "int128"):
        words = [found.get((f"{name}({kind})", (place,)), ()) for place in range(count)]
        if all(words):
            return tuple(word for (word,) in words)
    return ()


def _check_coins(spec: PoolSpec, found: Found) -> None:
    count = len(spec.tokens)
    coins = tuple(address_of(word) for word in _numbered(found, "coins", count))
    if not coins or not _numbered(found, "balances", count):
        raise MarketError(
            f"{spec.address} did not answer as a pool of its family does: it does not list {count} coins "
            "with balances; check the address, the variant and the tokens"
        )
    same("coins", coins, spec.tokens)
    if _numbered(found, "coins", count + 1):
        raise MarketError(f"the pool has more than {count} coins; correct its description")
    underlying = tuple(address_of(word) for word in _numbered(found, "underlying_coins", count))
    if underlying and underlying != coins:
        raise MarketError("the pool lends its coins out, and their rates are not modelled; leave it out")
    if any(found[each, ()] for each in _BASES):
        raise MarketError("the pool stands on another pool, whose rate is not modelled; leave it out")


def _rates(
    spec: PoolSpec, found: Found, tokens: Mapping[Address, Token], generation: Generation
) -> tuple[int, ...]:
    """Return the rates that the pool keeps, or those that follow from decimals."""
    stored = found["stored_rates()", ()]
    if not stored:
        return tuple(int(10 ** (RATE_DIGITS - min(each, RATE_DIGITS))) for each in decimals_of(spec, tokens))
    fixed = generation is not Generation.NG and len(stored) == len(spec.tokens)
    rates = stored if fixed else array_at(stored, 0)
    return rates[: len(spec.tokens)]


def _amplification(found: Found, generation: Generation, timestamp: int) -> Amplification:
    """Return the line of A, which the pool's own value at the block must lie on."""
    (value,) = found["A()" if generation is Generation.LEGACY else "A_precise()", ()]
    ramp = [found[each, ()] for each in _RAMP]
    if not all(ramp):
        return Amplification.constant(value)
    line = line_through([word for (word,) in ramp], value, timestamp)
    if line is None:
        raise MarketError(
            "the pool's A is not what its ramp says; check its variant and the block's time", value=value
        )
    return line
