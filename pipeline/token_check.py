"""Probe the tokens of a market: each is bought and sold once in a simulation, through its deepest pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chain.blocks import Address
from chain.networks import Network
from core.reasons import Reason, Refusal
from execution.token_cache import CachedProber
from execution.token_probe import CONCENTRATED, PAIRS, ProbeOrder
from market.plausibility.holdings import holdings
from market.pools.pool import Pool
from market.token_behaviour import TokenBehaviour


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """What is known of the tokens of a market.

    Parameters
    ----------
    behaviours
        Verdicts by token; tokens that pools are paired with are not probed.
    untold
        Why there is no verdict on a token.
    """

    behaviours: Mapping[Address, TokenBehaviour] = field(default_factory=dict)
    untold: Mapping[Address, Refusal] = field(default_factory=dict)

    def refusal(self, tokens: Iterable[Address]) -> Refusal | None:
        """Return why a pool of these tokens is not traded, ``None`` if all that is known of them is good."""
        for token in tokens:
            found = self.behaviours.get(token)
            if found is not None and found.reason is not None:
                return Refusal(found.reason, f"{token}: {found.detail}")
        return None


async def check_tokens(
    prober: CachedProber, network: Network, pools: Sequence[Pool], block: int
) -> TokenCheck:
    """Probe every token of these pools that is not one of the chain's known tokens.

    Parameters
    ----------
    prober
        Simulates, and remembers.
    network
        The chain's facts: its wrapped native token and the tokens that need no probe.
    pools
        The market. A token is bought through the pool with the wrapped native token that holds most of it.
    block
        Height of the state.

    Raises
    ------
    RpcError
        If the node does not answer.
    """
    known = {token.address for token in network.tokens} | {network.weth}
    behaviours: dict[Address, TokenBehaviour] = {}
    untold: dict[Address, Refusal] = {}
    for token in sorted({token for pool in pools for token in pool.tokens} - known):
        pool = _deepest(pools, token, network.weth)
        if pool is None:
            detail = f"no pool that a probe can use trades {token} for the wrapped native token"
            untold[token] = Refusal(Reason.PROBE_IMPOSSIBLE, detail)
            continue
        found = await prober.behaviour(ProbeOrder(network.chain_id, token, pool.spec, network.weth), block)
        if isinstance(found, Refusal):
            untold[token] = found
        else:
            behaviours[token] = found
    return TokenCheck(behaviours, untold)


def _deepest(pools: Sequence[Pool], token: Address, hub: Address) -> Pool | None:
    fitting = [
        pool for pool in pools if set(pool.tokens) == {token, hub} and pool.family in PAIRS | CONCENTRATED
    ]
    return max(fitting, key=lambda pool: holdings(pool)[pool.tokens.index(hub)], default=None)
