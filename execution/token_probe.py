"""Buy a token, pass it on and sell it again in a simulation, and say whether it behaves.

The probe is our contract ``TokenProbe``, which trades with the real pool and the real token. The
verdict and its records are in :mod:`market.token_behaviour`, where it runs in
:mod:`execution.token_runs`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.devnet.artifacts import CONTRACTS, load_artifact
from core.errors import ContractError, InputError, SimulationError
from core.reasons import Reason, Refusal
from execution.encode import decode_revert
from execution.token_history import TokenHistory
from execution.token_runs import Outcome, ProbeRunner, Trial
from market.pools.spec import PoolSpec
from market.token_behaviour import Round, Stage, Step, TokenBehaviour, judge

FRESH_HOLDER: Address = "0x" + keccak(text="omniarb token probe")[12:].hex()
"""An address that no token knows."""
DEFAULT_WEI = 10**17
"""Ether to buy with: a tenth, enough for parts per million of most tokens, below most limits on purchases."""
PAIRS = frozenset({"uniswap_v2"})
CONCENTRATED = frozenset({"uniswap_v3", "pancake_v3", "slipstream", "algebra_v1"})

_POOL = "(address,bool,uint256,uint256)"
_ORDER = f"(address,address,address,{_POOL},{_POOL},uint256)"
_RUN = keccak(text=f"run({_ORDER},uint8[])")[:4]
_STEPS = "(bool,uint256,uint256,uint256,uint256,bytes)[]"
_BUYING = (Stage.FUND, Stage.BUY, Stage.HOLD)
_SELLING = (Stage.HOLD, Stage.SEND, Stage.RETURN, Stage.SELL)
_NO_POOL = ("0x" + "00" * 20, False, 0, 0)
_FAILURE_LENGTH = 160
_OF_THE_ADDRESS = frozenset({Reason.CANNOT_BUY, Reason.HONEYPOT, Reason.TRANSFER_BLOCKED})
"""Verdicts that may be about who holds the token."""


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """Which token to probe, and how to get it.

    Parameters
    ----------
    chain_id
        Of the chain the token is on.
    token
        The token.
    pool
        Pool that trades it against a hub token: a Uniswap V2 pair, or a Uniswap V3 pool or fork.
    wrapped_native
        Wrapped native token of the chain.
    funding
        Pool of the same kinds that trades the wrapped native token against the hub; ``None`` if the
        hub is the wrapped native token.
    amount_wei
        Wei to buy with.
    holder
        Address at which the probe stands. With the executor's own address, a blacklist that names
        it shows.
    """

    chain_id: int
    token: Address
    pool: PoolSpec
    wrapped_native: Address
    funding: PoolSpec | None = None
    amount_wei: int = DEFAULT_WEI
    holder: Address = FRESH_HOLDER


class TokenProber:
    """Probe tokens on a simulator.

    Parameters
    ----------
    runner
        Where to run: :class:`execution.token_runs.NodeRunner` or ``PyrevmRunner``.
    history
        Where to look whether the pool's balance moved by itself in the past; ``None`` does not look.
    """

    def __init__(self, runner: ProbeRunner, history: TokenHistory | None = None) -> None:
        self._runner = runner
        self._history = history

    async def probe(self, order: ProbeOrder, block: int) -> TokenBehaviour | Refusal:
        """Return how a token behaves on the state after a block, or why that cannot be told.

        A token that fails for the order's holder is probed for an unknown holder too: if it
        behaves there, the verdict is ``blacklisted``.

        Raises
        ------
        InputError
            If an address or amount of the order cannot be encoded.
        ContractError
            If the probe's artifact is missing.
        RpcError
            If the node does not answer.
        SimulationError
            If it answers in another shape.
        """
        verdict = await self._probe_once(order, block)
        if isinstance(verdict, Refusal):
            return verdict
        if verdict.behaves:
            return await self._look_back(order, verdict)
        if verdict.reason not in _OF_THE_ADDRESS or order.holder == FRESH_HOLDER:
            return verdict
        elsewhere = await self._probe_once(replace(order, holder=FRESH_HOLDER), block)
        if isinstance(elsewhere, Refusal) or elsewhere.reason in _OF_THE_ADDRESS:
            return verdict
        detail = f"{order.holder} is refused, an unknown address is not: {verdict.detail}"
        return replace(verdict, reason=Reason.BLACKLISTED, detail=detail)

    async def _look_back(self, order: ProbeOrder, verdict: TokenBehaviour) -> TokenBehaviour:
        if self._history is None:
            return verdict
        found = await self._history.find_rebase(order.token, order.pool.address, verdict.block)
        if found is None:
            return verdict
        if found.reason is Reason.REBASING:
            return replace(verdict, reason=Reason.REBASING, detail=found.detail)
        return replace(verdict, detail=f"its past is not known: {found.detail}")

    async def _probe_once(self, order: ProbeOrder, block: int) -> TokenBehaviour | Refusal:
        trial = prepare(order)
        if isinstance(trial, Refusal):
            return trial
        outcome = await self._runner.run(trial, block)
        if isinstance(outcome, Refusal):
            return outcome
        return _describe(order, block, _read_round(outcome))


def prepare(order: ProbeOrder) -> Trial | Refusal:
    """Return the calls that carry out an order, or why there are none.

    Raises
    ------
    InputError
        If an address or amount cannot be encoded.
    ContractError
        If the probe's artifact is missing.
    """
    hub = _other_token(order.pool, order.token)
    if isinstance(hub, Refusal):
        return hub
    terms = [_pool_terms(order.pool)]
    if hub != order.wrapped_native:
        if order.funding is None or set(order.funding.tokens) != {hub, order.wrapped_native}:
            detail = f"no pool named that trades the wrapped native token for the hub token {hub}"
            return Refusal(Reason.PROBE_IMPOSSIBLE, detail)
        terms.insert(0, _pool_terms(order.funding))
    else:
        terms.insert(0, _NO_POOL)
    for term in terms:
        if isinstance(term, Refusal):
            return term
    packed = (order.wrapped_native, hub, order.token, *terms, order.amount_wei)

    def run(stages: Sequence[Stage]) -> bytes:
        return _RUN + encode([_ORDER, "uint8[]"], [packed, list(stages)])

    try:
        apart = (run(_BUYING), run(_SELLING))
        return Trial(order.holder, _runtime_code(), order.amount_wei, apart, run(_BUYING + _SELLING))
    except EncodingError as error:
        raise InputError(
            f"the order cannot be encoded, look at its addresses and amount: {error}", token=order.token
        ) from None


def _other_token(pool: PoolSpec, token: Address) -> Address | Refusal:
    if len(pool.tokens) != 2 or token not in pool.tokens:
        detail = f"{pool.pool_id} does not trade {token} against one other token"
        return Refusal(Reason.PROBE_IMPOSSIBLE, detail)
    return pool.tokens[1 - pool.tokens.index(token)]


def _pool_terms(pool: PoolSpec) -> tuple[Any, ...] | Refusal:
    if pool.family not in PAIRS | CONCENTRATED:
        return Refusal(Reason.PROBE_IMPOSSIBLE, f"the probe cannot trade with a pool of {pool.family}")
    return (pool.address, pool.family in CONCENTRATED, *(pool.fees or (pool.fee, pool.fee)))


@cache
def _runtime_code() -> bytes:
    path = CONTRACTS / "artifacts" / "TokenProbe.json"
    try:
        return bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["deployedBytecode"][2:])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(
            f"the artifact of TokenProbe cannot be read ({error}); run `make setup`", path=str(path)
        ) from error


def _read_round(outcome: Outcome) -> Round:
    steps = [step for answer in outcome.answers for step in _read_steps(answer)]
    if len(steps) != len(_BUYING + _SELLING):
        raise SimulationError("the probe answered with another number of steps", steps=len(steps))
    by_stage = dict(zip(_BUYING + _SELLING, steps, strict=True))  # of HOLD the second
    return Round(by_stage, steps[len(_BUYING) - 1], outcome.held_blocks)


def _read_steps(answer: bytes) -> list[Step]:
    try:
        (raw,) = decode([_STEPS], answer)
    except (DecodingError, OverflowError) as error:
        raise SimulationError("the probe's answer cannot be decoded", problem=str(error)) from error
    return [
        Step(ok, gas_used, sent, received, hub_amount, _reason(ok, failure))
        for ok, gas_used, sent, received, hub_amount, failure in raw
    ]


def _reason(ok: bool, failure: bytes) -> str:
    """Return a revert's reason without what a token could play with: control characters and length."""
    if ok:
        return ""
    text = decode_revert(failure, load_artifact("TokenProbe").abi)[:_FAILURE_LENGTH]
    return "".join(character if character.isprintable() else "?" for character in text)


def _describe(order: ProbeOrder, block: int, taken: Round) -> TokenBehaviour | Refusal:
    refusal = judge(taken)
    if refusal is not None and refusal.reason is Reason.PROBE_IMPOSSIBLE:
        return refusal
    steps = taken.steps
    transfers = [_tax(steps[stage]) for stage in (Stage.SEND, Stage.RETURN)]
    return TokenBehaviour(
        chain_id=order.chain_id,
        token=order.token,
        pool=order.pool.pool_id,
        holder=order.holder,
        block=block,
        reason=refusal.reason if refusal else None,
        detail=refusal.detail if refusal else "",
        buy_tax_ppm=_tax(steps[Stage.BUY]),
        sell_tax_ppm=_tax(steps[Stage.SELL]),
        transfer_tax_ppm=None if None in transfers else max(tax for tax in transfers if tax is not None),
        gas=steps[Stage.BUY].gas_used + steps[Stage.SELL].gas_used,
        held_blocks=taken.held_blocks,
    )


def _tax(step: Step) -> int | None:
    return step.tax_ppm if step.ok else None
