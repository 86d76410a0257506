"""What calldata asks for: swaps along routes of pools, and moves of tokens that decide their amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chain.blocks import Address

NATIVE: Address = "0x" + "00" * 20
"""The chain's own coin, where a contract treats it as a token."""
WHOLE = 10_000
"""All of a holding, in basis points."""


@dataclass(frozen=True, slots=True)
class IntendedHop:
    """One pool on the way, and the direction."""

    pool_id: str
    token_in: Address
    token_out: Address


@dataclass(frozen=True, slots=True)
class SwapIntent:
    """A swap through one pool or several in a row.

    Parameters
    ----------
    hops
        In the direction of the trade; each pays the token that the next one takes.
    exact_out
        Whether ``amount`` is what comes out in the end, not what goes in at the start.
    amount
        Raw units; ``None``: all of the first token that ``payer`` holds by then.
    limit
        Least output, or most input if ``exact_out``; raw units. ``None``: none.
    payer, recipient
        Who holds the first token before, and the last token after.
    price_limit
        Square-root price to stop at, of the only hop; 0: none.
    requotes
        Exact output only: pairs are asked again for all that the input buys, so rounding may give
        the recipient a little more than ``amount``.
    """

    hops: tuple[IntendedHop, ...]
    exact_out: bool
    amount: int | None
    limit: int | None
    payer: Address
    recipient: Address
    price_limit: int = 0
    requotes: bool = False


@dataclass(frozen=True, slots=True)
class TokenMove:
    """A payment between the swaps, of which a later "all that is there" may depend.

    Parameters
    ----------
    token
        What ``source`` gives.
    source, target
        Holders.
    amount
        Raw units; ``None``: the share of what ``source`` holds by then.
    share
        Basis points of the holding, if there is no amount.
    becomes
        What arrives, where the coin is wrapped or unwrapped on the way; empty: the same token.
    """

    token: Address
    source: Address
    target: Address
    amount: int | None
    share: int = WHOLE
    becomes: Address = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Steps that are undone together if one of them fails; the transaction goes on."""

    steps: tuple[Step, ...]


Step = SwapIntent | TokenMove | Attempt


def swaps_in(steps: Iterable[Step]) -> Iterator[SwapIntent]:
    """Yield all swaps, those that are only attempted among them."""
    for step in steps:
        if isinstance(step, SwapIntent):
            yield step
        elif isinstance(step, Attempt):
            yield from swaps_in(step.steps)
