"""What a transaction would do to the pools: its steps applied in order to a copy that costs nothing.

Pools are immutable values, so a what-if state is a small dict in front of the market's. Between the swaps
a ledger keeps who holds what, for amounts that calldata leaves to be "all that is there".
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason, Refusal
from market.advance import timed
from market.pending.intents import WHOLE, Attempt, IntendedHop, Step, SwapIntent, TokenMove
from market.pending.swaps import buy, sell
from market.pools.pool import Pool


@dataclass(frozen=True, slots=True)
class PredictedSwap:
    """One swap of one pool: raw units in and out."""

    pool_id: str
    token_in: Address
    token_out: Address
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a transaction would do, from its calldata alone.

    Parameters
    ----------
    pools
        The pools it changes, after it, by id.
    swaps
        In order.
    """

    pools: Mapping[str, Pool]
    swaps: tuple[PredictedSwap, ...]


def predict(steps: Iterable[Step], pools: Mapping[str, Pool], timestamp: int) -> Prediction | Refusal:
    """Return what steps do to pools, which are left as they are; or why they would do nothing.

    Parameters
    ----------
    steps
        As :func:`market.pending.decode.decode_pending` gives them.
    pools
        Pools that are followed, by id.
    timestamp
        Of the block it would be in, unix seconds: some pools' fees depend on it.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pair = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000), 10**6, 10**6)
    >>> step = SwapIntent((IntendedHop("0xp", "0xa", "0xb"),), False, 1000, 995, "0xme", "0xme")
    >>> predict([step], {"0xp": pair}, 0).swaps[0].amount_out
    996
    >>> str(predict([step, step], {"0xp": pair}, 0))
    'pending_slippage: 994 come out, at least 995 asked for'
    """
    run = _Run(pools, timestamp)
    refusal = run.all_of(steps)
    return Prediction(run.changed, tuple(run.swaps)) if refusal is None else refusal


class _Run:
    """A transaction under way."""

    def __init__(self, pools: Mapping[str, Pool], timestamp: int) -> None:
        self.changed: dict[str, Pool] = {}
        self.swaps: list[PredictedSwap] = []
        self._pools, self._timestamp = pools, timestamp
        self._held: dict[tuple[Address, Address], int] = {}

    def all_of(self, steps: Iterable[Step]) -> Refusal | None:
        """Take steps one after another; return why one failed that had to succeed."""
        for step in steps:
            match step:
                case TokenMove():
                    self._move(step)
                case Attempt():
                    self._attempt(step)
                case SwapIntent():
                    refusal = self._swap(step)
                    if refusal is not None:
                        return refusal
        return None

    def _attempt(self, attempt: Attempt) -> None:
        before = dict(self.changed), list(self.swaps), dict(self._held)
        if self.all_of(attempt.steps) is not None:
            self.changed, self.swaps, self._held = before

    def _move(self, step: TokenMove) -> None:
        there = max(self._held.get((step.source, step.token), 0), 0)
        amount = there * step.share // WHOLE if step.amount is None else step.amount
        self._pay(step.source, step.token, -amount)
        self._pay(step.target, step.becomes or step.token, amount)

    def _swap(self, intent: SwapIntent) -> Refusal | None:
        """Trade along a route, whole or not at all."""
        amount = intent.amount
        if amount is None:
            amount = self._held.get((intent.payer, intent.hops[0].token_in), 0)
            if amount <= 0:
                why = "the amount is what a contract holds, and nothing is known to have gone there"
                return Refusal(Reason.PENDING_UNDECODABLE, why)
        trades = _Trades(ChainMap({}, self.changed, self._pools), self._timestamp)  # type: ignore[arg-type]
        try:
            swaps = trades.along(intent, amount)
        except SwapRefused as error:
            return Refusal(error.fields["reason"], error.message)
        except MarketError as error:
            return Refusal(Reason.PENDING_UNKNOWN_POOL, error.message)
        paid, got = swaps[0].amount_in, swaps[-1].amount_out
        refusal = _beyond(intent, paid, got)
        if refusal is not None:
            return refusal
        self.changed.update(trades.changed)
        self.swaps += swaps
        self._pay(intent.payer, intent.hops[0].token_in, -paid)
        self._pay(intent.recipient, intent.hops[-1].token_out, got)
        return None

    def _pay(self, holder: Address, token: Address, amount: int) -> None:
        key = holder, token
        self._held[key] = self._held.get(key, 0) + amount


class _Trades:
    """The swaps of one route, on pools that change in front of those they came from."""

    def __init__(self, pools: ChainMap[str, Pool], timestamp: int) -> None:
        self._pools, self._timestamp = pools, timestamp

    @property
    def changed(self) -> Mapping[str, Pool]:
        """The pools that the route has changed."""
        return self._pools.maps[0]

    def along(self, intent: SwapIntent, amount: int) -> list[PredictedSwap]:
        """Return the swaps in the order of the hops."""
        if intent.exact_out and intent.requotes:
            for hop in reversed(intent.hops):
                amount = buy(self._pool(hop), hop.token_in, hop.token_out, amount).amount_in
        backwards = intent.exact_out and not intent.requotes
        trade = buy if backwards else sell
        swaps = []
        for hop in reversed(intent.hops) if backwards else intent.hops:
            done = trade(self._pool(hop), hop.token_in, hop.token_out, amount, intent.price_limit)
            self._pools[hop.pool_id] = done.pool
            swaps.append(
                PredictedSwap(hop.pool_id, hop.token_in, hop.token_out, done.amount_in, done.amount_out)
            )
            amount = done.amount_in if backwards else done.amount_out
        return swaps[::-1] if backwards else swaps

    def _pool(self, hop: IntendedHop) -> Pool:
        pool = self._pools.get(hop.pool_id)
        if pool is None:
            raise MarketError(f"pool {hop.pool_id} is not followed", pool_id=hop.pool_id)
        return timed(pool, self._timestamp)


def _beyond(intent: SwapIntent, paid: int, got: int) -> Refusal | None:
    if intent.limit is None:
        return None
    if intent.exact_out and paid > intent.limit:
        detail = f"{paid} would have to go in, at most {intent.limit} allowed"
        return Refusal(Reason.PENDING_SLIPPAGE, detail)
    if not intent.exact_out and got < intent.limit:
        return Refusal(Reason.PENDING_SLIPPAGE, f"{got} come out, at least {intent.limit} asked for")
    return None
