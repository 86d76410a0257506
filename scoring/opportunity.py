"""What scoring hands on: a sized cycle in exact integers, with a certificate."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chain.blocks import Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One swap of a cycle; amounts are raw integers the contracts will reproduce."""

    pool_id: str
    token_in: Address
    token_out: Address
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """How good the size is: no input earns more than ``upper_bound`` on this state.

    Parameters
    ----------
    upper_bound
        Raw units of the cycle's start token.
    gap
        ``upper_bound - gross_profit``, never negative.
    state_block
        Height of the block whose state it holds for.
    """

    upper_bound: int
    gap: int
    state_block: int


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A cycle that starts and ends in ``token`` and gives back more than it takes.

    Parameters
    ----------
    cycle_id
        Stable id of the directed cycle; breaks ties.
    token
        Start and profit token.
    hops
        Swaps in order; ``hops[0].amount_in == amount_in``.
    amount_in, amount_out, gross_profit
        Raw units of ``token``; ``gross_profit == amount_out - amount_in``, before gas and bid.
    certificate
        Upper bound at that state.
    state_block
        Height of the state it was found on (event time).
    found_at_ns
        When we knew it (wall-clock nanoseconds).
    """

    cycle_id: str
    token: Address
    hops: tuple[Hop, ...]
    amount_in: int
    amount_out: int
    gross_profit: int
    certificate: Certificate
    state_block: int
    found_at_ns: int

    def seen_at(self, block: int) -> Opportunity:
        """Return the opportunity as one of a later state in which its pools did not move.

        Parameters
        ----------
        block
            Height of that state.
        """
        if self.state_block == block:
            return self
        return replace(self, certificate=replace(self.certificate, state_block=block), state_block=block)
