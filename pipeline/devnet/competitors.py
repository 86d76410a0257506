"""Competitors: two searchers with different eyesight who bid against us, each with a contract of its own.

They use the same scoring as we do but see fewer pools or size coarsely, rest now and then, and
bid a random share of what they hope to earn. They reach the builder as everybody does: signed
bundles over HTTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chain.blocks import Address, BlockHeader, next_base_fee
from chain.providers import Provider
from chain.signers import Wallet
from core.errors import RelayError, SwapRefused
from core.seams import Ids, Randomness
from execution.bundle import make_bundle
from execution.command import Funding
from execution.encode import encode_execute
from execution.relays.client import RelayClient
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.state import MarketState
from pipeline.devnet.market import SharedMarket
from scoring.cycles import Edge
from scoring.exact import profit_of, run_forward
from scoring.opportunity import Certificate, Opportunity
from scoring.scorer import CpuScorer

GAS_ESTIMATE = 300_000
"""Gas a competitor reckons with."""
GAS_LIMIT = 700_000


@dataclass(frozen=True, slots=True)
class Strength:
    """What a competitor can do.

    Parameters
    ----------
    families
        Pools it sees, by family.
    rest_chance
        Share of blocks it sits out.
    bid_alpha, bid_beta
        Beta distribution of the share of its profit that it bids.
    coarse
        Whether it rounds its input down to a power of two.
    """

    families: frozenset[str]
    rest_chance: float
    bid_alpha: float
    bid_beta: float
    coarse: bool


PAIRS_ONLY = Strength(frozenset({"uniswap_v2"}), 0.15, 6.0, 3.0, coarse=False)
"""Sees V2 pairs on all venues, sizes exactly, bids two thirds on average."""
COARSE = Strength(frozenset({"uniswap_v2", "uniswap_v3"}), 0.25, 4.0, 4.0, coarse=True)
"""Sees V2 and V3, sizes roughly, bids half on average."""


class Competitor:
    """One searcher.

    Parameters
    ----------
    name
        Also the name of its random streams, ``<name>-<block>``.
    wallet
        Operator of its contract.
    executor
        Its own instance of the executor contract.
    strength
        What it can do.
    market
        State it looks at.
    wrapped_native
        Token it profits in.
    relay
        Where it sends, under its own identity.
    provider
        The node, for its nonce.
    randomness
        Seed.
    chain_id
        Signed into every transaction.
    """

    def __init__(
        self,
        name: str,
        *,
        wallet: Wallet,
        executor: Address,
        strength: Strength,
        market: SharedMarket,
        wrapped_native: Address,
        relay: RelayClient,
        provider: Provider,
        randomness: Randomness,
        chain_id: int,
    ) -> None:
        self.name = name
        self.sent = 0
        self.refused: Counter[str] = Counter()
        self._wallet = wallet
        self._executor = executor
        self._strength = strength
        self._market = market
        self._specs = _visible(market.specs.values(), strength)
        self._scorer = CpuScorer(self._specs.values(), [wrapped_native], max_hops=2)
        self._relay = relay
        self._provider = provider
        self._randomness = randomness
        self._chain_id = chain_id
        self._ids = Ids()

    async def act(self, head: BlockHeader) -> None:
        """Bid for the block after ``head`` if there is something to earn."""
        draw = self._randomness.stream(f"{self.name}-{head.number + 1}")
        rests = draw.random() < self._strength.rest_chance
        share = draw.beta(self._strength.bid_alpha, self._strength.bid_beta)
        state = await self._market.at(head)
        opportunity = self._best(state)
        if rests or opportunity is None:
            return
        base_fee = next_base_fee(head)
        gas_cost = GAS_ESTIMATE * base_fee
        profit = opportunity.gross_profit - gas_cost
        if profit <= 0:
            return
        await self._bid(opportunity, head.number + 1, base_fee, bid=int(profit * share), keep=gas_cost)

    def _best(self, state: MarketState) -> Opportunity | None:
        found = self._scorer.rescore(state, (), found_at_ns=0).opportunities
        if not found:
            return None
        return _rounded_down(state.pools, found[0]) if self._strength.coarse else found[0]

    async def _bid(
        self, opportunity: Opportunity, target: int, base_fee: int, *, bid: int, keep: int
    ) -> None:
        calldata = encode_execute(
            opportunity,
            self._specs,
            funding=Funding.BALANCER_V2_VAULT,
            min_profit=keep,
            bid=bid,
            target_block=target,
        )
        nonce = await self._provider.call("eth_getTransactionCount", [self._wallet.address, "latest"])
        raw, _ = self._wallet.sign_transaction(
            {
                "chainId": self._chain_id,
                "nonce": int(nonce, 16),
                "maxPriorityFeePerGas": 0,
                "maxFeePerGas": base_fee,
                "gas": GAS_LIMIT,
                "to": self._executor,
                "data": calldata,
            }
        )
        bundle = make_bundle(self._ids, self._ids.next("decision"), [raw], target)
        try:
            await self._relay.send_bundle(bundle)
            self.sent += 1
        except RelayError as error:
            self.refused[str(error.fields["reason"] or error.fields["message"])] += 1


def _visible(specs: Iterable[PoolSpec], strength: Strength) -> dict[str, PoolSpec]:
    return {spec.pool_id: spec for spec in specs if spec.family in strength.families}


def _rounded_down(pools: Mapping[str, Pool], found: Opportunity) -> Opportunity | None:
    """Return the same route with a power of two as input; ``None`` if that earns nothing."""
    amount = 1 << (found.amount_in.bit_length() - 1)
    edges = [Edge(hop.pool_id, hop.token_in, hop.token_out) for hop in found.hops]
    try:
        hops = run_forward(pools, edges, amount)
    except SwapRefused:
        return None
    profit = profit_of(hops)
    bound = found.certificate.upper_bound
    return replace(
        found,
        hops=hops,
        amount_in=hops[0].amount_in,
        amount_out=hops[-1].amount_out,
        gross_profit=profit,
        certificate=Certificate(bound, bound - profit, found.state_block),
    )
