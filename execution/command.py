"""Records of the way from decision to settlement. Frozen; money is wei."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chain.blocks import Address
from core.reasons import Reason
from scoring.opportunity import Opportunity


class Funding(StrEnum):
    """Where the input of the first hop comes from."""

    BALANCER_V2_VAULT = "balancer_v2_vault"
    FIRST_POOL = "first_pool"
    """The first hop's own pool pays out first and is paid back in its callback."""
    LAST_POOL = "last_pool"
    """The last hop's own pool does, and the hops before it run in its callback."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one risk check said."""

    check: str
    ok: bool
    reason: Reason | None
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to trade an opportunity and what to pay for inclusion.

    Parameters
    ----------
    decision_id
        Id from :class:`core.seams.Ids`.
    opportunity
        What was found.
    target_block
        The one block the bundle is for.
    gas_estimate
        Gas of the whole transaction.
    gas_cost
        Wei: ``gas_estimate * base_fee`` of the target block.
    bid
        Wei to the block's fee recipient.
    win_probability
        Forecast chance that this bid wins.
    expected_net
        Wei: ``win_probability * (gross_profit - gas_cost - bid)``.
    verdicts
        Every risk check, in order; trading is allowed iff all are ok.
    """

    decision_id: str
    opportunity: Opportunity
    target_block: int
    gas_estimate: int
    gas_cost: int
    bid: int
    win_probability: float
    expected_net: float
    verdicts: tuple[Verdict, ...]

    @property
    def approved(self) -> bool:
        """Whether every check passed."""
        return all(verdict.ok for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Plan:
    """An unsigned transaction to our executor contract."""

    decision_id: str
    executor: Address
    calldata: bytes
    funding: Funding
    gas_limit: int
    max_fee_per_gas: int
    target_block: int
    min_profit: int
    bid: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a plan does at the parent state.

    Parameters
    ----------
    ok
        Whether it did not revert.
    gas_used
        Gas, exact.
    profit
        Wei of profit token kept by the executor, after the bid, before gas.
    coinbase_payment
        Wei paid to the fee recipient by transfer.
    revert_reason
        Decoded reason if it reverted.
    simulator
        ``pyrevm`` or ``node``.
    """

    ok: bool
    gas_used: int
    profit: int
    coinbase_payment: int
    revert_reason: str
    simulator: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Signed transactions for one block, as relays take them."""

    bundle_id: str
    decision_id: str
    raw_transactions: tuple[bytes, ...]
    transaction_hashes: tuple[bytes, ...]
    bundle_hash: bytes
    target_block: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a bundle.

    ``verdict`` is one of LANDED, OUTBID, STATE_MOVED, REVERTED, LATE, NEVER_SIMULATED.
    ``profit`` is wei after gas and bid (0 unless landed; negative if it reverted on chain).
    ``rival_payment`` (wei) and ``rival_gas`` are those of the transaction that a builder ranks
    first among those that came before us; ``None`` if there is none or its payment is unknown.
    """

    bundle_id: str
    decision_id: str
    verdict: Reason
    detail: str
    block_number: int
    profit: int
    gas_used: int
    gas_cost: int
    bid: int
    winning_bid: int | None
    rival_payment: int | None = None
    rival_gas: int | None = None

    def least_winning_bid(self, gas: int) -> int | None:
        """Return the smallest bid that is ranked before the rival; ``None`` if no rival is known.

        Parameters
        ----------
        gas
            Of our transaction.
        """
        if self.rival_payment is None or self.rival_gas is None:
            return None
        return least_winning_bid(self.rival_payment, self.rival_gas, gas)


def least_winning_bid(payment: int, rival_gas: int, gas: int) -> int:
    """Return the smallest bid that a builder ranks before a rival: it pays more per unit of gas.

    Parameters
    ----------
    payment, rival_gas
        Wei that the rival pays, and its gas.
    gas
        Of our transaction.

    Examples
    --------
    >>> least_winning_bid(payment=400, rival_gas=100, gas=300)
    1201
    """
    return payment * gas // max(rival_gas, 1) + 1
