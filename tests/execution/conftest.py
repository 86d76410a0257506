"""An opportunity, and decisions and bundles about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from core.seams import Ids
from execution.bundle import make_bundle
from execution.command import Bundle, Decision, Verdict
from market.pools.spec import PoolSpec
from scoring.opportunity import Certificate, Hop, Opportunity

WETH, DAI = "0x" + "ee" * 20, "0x" + "da" * 20
PAIR, POOL, VAULT = "0x" + "a1" * 20, "0x" + "a2" * 20, "0x" + "fe" * 20
VAULT_ID = "0x" + "b3" * 32
SPECS = {
    PAIR: PoolSpec("uniswap_v2", PAIR, PAIR, (DAI, WETH), 3000),
    POOL: PoolSpec("uniswap_v3", POOL, POOL, (DAI, WETH), 500, 10),
    VAULT_ID: PoolSpec("weighted", VAULT_ID, VAULT, (DAI, WETH), 1000, weights=(5 * 10**17,) * 2),
}


@dataclass(frozen=True)
class Case:
    """Builds records that belong together."""

    weth, dai, pair, pool, vault, vault_id = WETH, DAI, PAIR, POOL, VAULT, VAULT_ID
    executor = "0x" + "ec" * 20
    specs = SPECS

    def opportunity(self, *pools: str, amount_in: int = 10**19, gross: int = 10**17) -> Opportunity:
        hops, token, amount = [], WETH, amount_in
        names = pools or (PAIR, POOL)
        for position, name in enumerate(names):
            other = DAI if token == WETH else WETH
            out = amount_in + gross if position == len(names) - 1 else amount * 2_000
            hops.append(Hop(name, token, other, amount, out))
            token, amount = other, out
        return Opportunity(
            "c0ffee",
            WETH,
            tuple(hops),
            amount_in,
            amount_in + gross,
            gross,
            Certificate(gross + 3, 3, 99),
            99,
            7,
        )

    def decision(self, number: int = 1, bid: int = 4 * 10**16, **changes: object) -> Decision:
        gross = 10**17
        decision = Decision(
            decision_id=f"decision-{number:06d}",
            opportunity=self.opportunity(gross=gross),
            target_block=100,
            gas_estimate=200_000,
            gas_cost=2 * 10**15,
            bid=bid,
            win_probability=0.5,
            expected_net=0.5 * (gross - 2 * 10**15 - bid),
            verdicts=(Verdict("net_profit", True, None, "fine"),),
        )
        return replace(decision, **changes)

    def bundle(self, number: int = 1, ids: Ids | None = None, raw: bytes | None = None) -> Bundle:
        ids = ids or Ids({"bundle": number - 1})
        return make_bundle(ids, f"decision-{number:06d}", [raw or b"\x02" + bytes([number])], 100)


@pytest.fixture(scope="session")
def case() -> Case:
    return Case()
