"""From a snapshot to the pools and hubs that are worth scoring, with a reason for every pool that is not.

The filters, in order: pools that could not be read; pools of a token whose decimals are in doubt, or whose
state is none; implausible pools (:mod:`market.plausibility.judgement`); pools that no hub reaches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import isclose, isfinite

from chain.blocks import Address
from core.errors import InputError, MarketError
from core.reasons import Reason, Refusal
from market.plausibility.holdings import holdings
from market.plausibility.judgement import judge
from market.pools.pool import Pool
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token

MOST_HUBS = 6
"""Tokens that cycles start in unless they are named: more add hardly a loop, since loops go round."""

_MOST_WEI = 2**96
"""Far more than there is of any chain's native token."""

_MOST_DECIMALS = 255
_LEAST_POOLS = 2
"""A cycle through a token needs two pools that hold it."""


@dataclass(frozen=True, slots=True)
class Scannable:
    """What is left of a snapshot after the filters.

    Parameters
    ----------
    pools
        Worth scoring.
    hubs
        Tokens that cycles may start in.
    prices
        Wei of the native token per raw unit; of every token of ``pools``.
    unread, unsound, implausible, unreached
        Why the other pools are not, by pool id, or by place in the file where a pool could not be read.
    """

    pools: tuple[Pool, ...]
    hubs: tuple[Address, ...]
    prices: Mapping[Address, float]
    unread: Mapping[str, Refusal]
    unsound: Mapping[str, Refusal]
    implausible: Mapping[str, Refusal]
    unreached: Mapping[str, Refusal]


def scannable(
    snapshot: MarketSnapshot, native: Address, known: Iterable[Token], wanted: Sequence[Address] = ()
) -> Scannable:
    """Return what of a snapshot is worth scoring.

    Parameters
    ----------
    snapshot
        As a reader gave it.
    native
        The wrapped native token, whose price is one.
    known
        Tokens whose decimals are beyond doubt.
    wanted
        Hubs; by default the native token and the tokens that most pools hold, :data:`MOST_HUBS` at most.

    Raises
    ------
    InputError
        If a price or a cost of the file is impossible, or a wanted hub is in no pool that is left.
    """
    for problem in _impossible(snapshot, native):
        raise InputError(f"{snapshot.source} {problem}")
    unsound = _contradicted(snapshot, known) | _broken(snapshot.pools)
    sound = [pool for pool in snapshot.pools if pool.pool_id not in unsound]
    judgement = judge(sound, {**snapshot.reference_prices, native: 1.0})
    passed = judgement.plausible
    hubs = _named_hubs(passed, wanted) if wanted else choose_hubs(passed, native)
    unreached = _unreached(passed, hubs)
    return Scannable(
        pools=tuple(pool for pool in passed if pool.pool_id not in unreached),
        hubs=hubs,
        prices=judgement.prices,
        unread=snapshot.refused,
        unsound=unsound,
        implausible=judgement.refused,
        unreached=unreached,
    )


def choose_hubs(pools: Iterable[Pool], native: Address, most: int = MOST_HUBS) -> tuple[Address, ...]:
    """Return the native token, if it is there, and the tokens that most pools hold.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> pools = [PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000) for name in ("0x1", "0x2")]
    >>> pools += [PoolSpec("uniswap_v2", "0x3", "0x3", ("0xb", "0xc"), 3000)]
    >>> choose_hubs(pools, "0xa"), choose_hubs(pools, "0xa", most=1)
    (('0xa', '0xb'), ('0xa',))
    """
    held = Counter(token for pool in pools for token in pool.tokens)
    ordered = sorted(held, key=lambda token: (token != native, -held[token], token))
    return tuple(token for token in ordered if held[token] >= _LEAST_POOLS)[:most]


def _named_hubs(pools: Iterable[Pool], wanted: Sequence[Address]) -> tuple[Address, ...]:
    there = {token for pool in pools for token in pool.tokens}
    for token in wanted:
        if token not in there:
            raise InputError(
                f"no pool that passed the filters holds the hub {token}; name another, or leave --hub out",
                token=token,
            )
    return tuple(dict.fromkeys(wanted))


def _impossible(snapshot: MarketSnapshot, native: Address) -> Iterator[str]:
    """Yield what a file says that cannot be."""
    for token, price in snapshot.reference_prices.items():
        if not (isfinite(price) and price > 0.0):
            yield f"prices {token} at {price}; correct it or leave it out"
    own = snapshot.reference_prices.get(native, 1.0)
    if not isclose(own, 1.0, rel_tol=1e-6):
        yield (
            f"prices the wrapped native token {native} at {own:g} of itself; name the file's chain with "
            "--chain, or correct the file"
        )
    for described in snapshot.tokens.values():
        if not 0 <= described.decimals <= _MOST_DECIMALS:
            yield f"gives {described.address} {described.decimals} decimals; correct it"
    for pool_id, cost in snapshot.swap_costs.items():
        if not 0 <= cost <= _MOST_WEI:
            yield f"says that a swap with {pool_id} costs {cost} wei; correct it"
    if snapshot.gas_price is not None and not 0 <= snapshot.gas_price <= _MOST_WEI:
        yield f"says that gas costs {snapshot.gas_price} wei; correct it"


def _contradicted(snapshot: MarketSnapshot, known: Iterable[Token]) -> dict[str, Refusal]:
    """Return the pools of tokens that the file, the chain's facts and the pools give different decimals."""
    said: dict[Address, set[int]] = defaultdict(set)
    for token in (*snapshot.tokens.values(), *known):
        said[token.address].add(token.decimals)
    for pool in snapshot.pools:
        for address, decimals in zip(pool.tokens, getattr(pool, "decimals", ()), strict=False):
            said[address].add(decimals)
    refused = {}
    for pool in snapshot.pools:
        for address in pool.tokens:
            if len(said[address]) > 1:
                told = " and ".join(map(str, sorted(said[address])))
                detail = f"{address} is said to have {told} decimals"
                refused[pool.pool_id] = Refusal(Reason.CONTRADICTORY_DECIMALS, detail)
    return refused


def _broken(pools: Iterable[Pool]) -> dict[str, Refusal]:
    """Return the pools whose state and description do not fit each other, or give no rate."""
    refused = {}
    for pool in pools:
        try:
            rates = [pool.marginal_rate(*pair) for pair in permutations(pool.tokens, 2)]
            whole = len(holdings(pool)) == len(set(pool.tokens)) == len(pool.tokens)
        except (MarketError, ArithmeticError, ValueError) as error:
            refused[pool.pool_id] = Refusal(Reason.IMPOSSIBLE_STATE, f"its state gives no rate ({error})")
            continue
        if not whole or not all(map(isfinite, rates)):
            detail = "its tokens are not those that it holds, or a rate is no number"
            refused[pool.pool_id] = Refusal(Reason.IMPOSSIBLE_STATE, detail)
    return refused


def _unreached(pools: Sequence[Pool], hubs: Iterable[Address]) -> dict[str, Refusal]:
    """Return the pools that no walk over pools leads to from a hub."""
    holding: dict[Address, list[Pool]] = defaultdict(list)
    for pool in pools:
        for token in pool.tokens:
            holding[token].append(pool)
    reached, ahead = set(hubs), list(hubs)
    while ahead:
        found = {token for pool in holding[ahead.pop()] for token in pool.tokens} - reached
        reached |= found
        ahead.extend(found)
    return {
        pool.pool_id: Refusal(Reason.NO_HUB_TOKEN, f"no hub leads to {pool.tokens[0]}")
        for pool in pools
        if pool.tokens[0] not in reached
    }
