"""Where the first input comes from: a vault's loan, or the first or last pool itself.

The Balancer V2 Vault lends at no fee, but one lock guards its loans and its swaps, so a
route through a pool of the vault cannot be funded by it. A Uniswap pair or pool can pay its
output first and be paid in its callback; a pool of the vault cannot. The first pool pays out
what the second takes, the last pool what the first takes, so either can fund a route.

The last pool is the last resort. It must be told its input before the other hops have run:
if they then give one unit less, it cannot be paid and the route reverts, whatever slippage is
allowed; what they give beyond it stays in the contract as that token and is no profit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from execution.command import Funding
from market.pools.spec import PoolSpec
from scoring.opportunity import Opportunity

_VAULT_FAMILIES = frozenset({"weighted"})
_ONE = 10**18


class FlashSource(Protocol):
    """Someone who pays the first input before being paid."""

    @property
    def funding(self) -> Funding:
        """How the executor contract names it."""
        ...

    def fee(self, opportunity: Opportunity, specs: Mapping[str, PoolSpec]) -> int | Refusal:
        """Return what funding this route costs, in raw units of its token, or why it cannot."""
        ...


@dataclass(frozen=True, slots=True)
class VaultLoan:
    """A flash loan of the Balancer V2 Vault.

    Parameters
    ----------
    balance
        Raw units of the start token that the vault holds: its largest loan.
    fee_share
        Fee as 1e18 fixed point, read from the chain.
    """

    balance: int
    fee_share: int = 0
    funding: Funding = Funding.BALANCER_V2_VAULT

    def fee(self, opportunity: Opportunity, specs: Mapping[str, PoolSpec]) -> int | Refusal:
        """Return the loan's fee, rounded up as the vault does, or why it does not lend."""
        inside = [
            hop.pool_id for hop in opportunity.hops if _spec(specs, hop.pool_id).family in _VAULT_FAMILIES
        ]
        if inside:
            return Refusal(
                Reason.VAULT_LOCKED_BY_ROUTE,
                f"pool {inside[0]} lives in the vault, whose loan holds the lock its swap needs",
            )
        if opportunity.amount_in > self.balance:
            return Refusal(
                Reason.NO_FLASH_LIQUIDITY, f"the vault holds {self.balance}, needed {opportunity.amount_in}"
            )
        return -(-opportunity.amount_in * self.fee_share // _ONE)


@dataclass(frozen=True, slots=True)
class FirstPoolSwap:
    """The first hop's own pair or pool, which pays out before it is paid."""

    funding: Funding = Funding.FIRST_POOL

    def fee(self, opportunity: Opportunity, specs: Mapping[str, PoolSpec]) -> int | Refusal:
        """Return zero, since the hop pays its swap fee anyway, or why the pool cannot."""
        return _cannot_pay_first(opportunity, specs, 0, "first") or 0


@dataclass(frozen=True, slots=True)
class LastPoolSwap:
    """The last hop's own pair or pool, which pays out what the first hop needs."""

    funding: Funding = Funding.LAST_POOL

    def fee(self, opportunity: Opportunity, specs: Mapping[str, PoolSpec]) -> int | Refusal:
        """Return zero, since the hop pays its swap fee anyway, or why the pool cannot."""
        return _cannot_pay_first(opportunity, specs, len(opportunity.hops) - 1, "last") or 0


def _cannot_pay_first(
    opportunity: Opportunity, specs: Mapping[str, PoolSpec], position: int, which: str
) -> Refusal | None:
    """Return why the pool of one hop cannot pay out before the others run, or ``None``."""
    pools = [hop.pool_id for hop in opportunity.hops]
    pool_id = pools[position]
    if _spec(specs, pool_id).family in _VAULT_FAMILIES:
        return Refusal(
            Reason.VAULT_LOCKED_BY_ROUTE, f"the {which} pool {pool_id} lives in the vault and is paid first"
        )
    if pools.count(pool_id) > 1:
        return Refusal(
            Reason.POOL_LOCKED_BY_ROUTE,
            f"the {which} pool {pool_id} is used by another hop too, which its callback locks out",
        )
    return None


def choose_funding(
    opportunity: Opportunity,
    specs: Mapping[str, PoolSpec],
    vault_balance: int,
    vault_fee_share: int = 0,
) -> Funding | Refusal:
    """Return the cheapest source that can fund a route, or why there is none.

    Between sources of the same fee the vault is preferred, then the first pool, then the last.
    Wherever the vault lends, the first pool could fund the route as well, at no fee, unless the
    route uses that pool twice, which no cycle of :mod:`scoring.cycles` does: so a loan with a fee is
    not taken, and the profit of an opportunity needs no correction for funding.

    Parameters
    ----------
    opportunity
        The route; its ``amount_in`` is what has to be lent.
    specs
        Description of every pool of the route, by pool id.
    vault_balance
        Raw units of the start token that the vault holds.
    vault_fee_share
        The vault's loan fee, 1e18 fixed point.

    Raises
    ------
    ExecutionError
        If a pool of the route is not described.
    """
    sources: Sequence[FlashSource] = (
        VaultLoan(vault_balance, vault_fee_share),
        FirstPoolSwap(),
        LastPoolSwap(),
    )
    refusals: list[Refusal] = []
    offers: list[tuple[int, Funding]] = []
    for source in sources:
        fee = source.fee(opportunity, specs)
        if isinstance(fee, Refusal):
            refusals.append(fee)
        else:
            offers.append((fee, source.funding))
    if offers:
        return min(offers, key=lambda offer: offer[0])[1]
    return Refusal(refusals[-1].reason, "; ".join(refusal.detail for refusal in refusals))


def _spec(specs: Mapping[str, PoolSpec], pool_id: str) -> PoolSpec:
    try:
        return specs[pool_id]
    except KeyError:
        raise ExecutionError(
            "a pool of the route is not described; load its description first", pool_id=pool_id
        ) from None
