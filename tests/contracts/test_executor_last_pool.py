"""Routes whose last pool pays out first: what it is promised, what it is paid, and what it cannot do."""

from typing import Any

import pytest
from eth_abi.abi import encode

from chain.devnet.calldata import encode_call
from execution.command import Funding
from tests.contracts.hostile import FAKE, FAKE_2, LAST, callback_v3, debt, execute, puppet, word
from tests.executor_stage import Stage, add_pair

ETHER = 10**18
FIRST_POOL, LAST_POOL = Funding.FIRST_POOL, Funding.LAST_POOL
TO_V2 = (("uniswap_v2/DAI", "WETH", 200 * ETHER), ("balancer_v2/DAI", "uniswap_v2/DAI"))
TO_V3 = (("uniswap_v3/DAI", "WETH", 200 * ETHER), ("balancer_v2/DAI", "uniswap_v3/DAI"))
BOTH = [pytest.param(TO_V2, id="v2"), pytest.param(TO_V3, id="v3")]
VENUES = {"uniswap_v2": 0, "uniswap_v3": 1, "weighted": 2}


def open_gap(stage: Stage, case: Any) -> tuple[str, ...]:
    move, route = case
    stage.sell(*move)
    return tuple(route)


@pytest.mark.parametrize("last", ["uniswap_v2/USDC", "uniswap_v3/USDC/500"])
def test_three_hops_from_a_weighted_pool_gain_what_the_pools_give(stage: Stage, last: str) -> None:
    add_pair(stage, "DAI", "USDC", worth=2_000)
    stage.sell(last, "WETH", 900 * ETHER)
    route = ("balancer_v2/DAI", "uniswap_v2/DAI-USDC", last)
    expected = stage.gives(route, 3 * ETHER) - 3 * ETHER
    assert expected > 0
    data = stage.calldata(*route, funding=LAST_POOL, amount_in=3 * ETHER, min_profit=expected)
    assert stage.send(stage.operator, data).ok
    assert [stage.held(symbol) for symbol in ("WETH", "DAI", "USDC")] == [expected, 0, 0]


@pytest.mark.parametrize("case", BOTH)
def test_without_a_gap_the_last_pool_pays_too_little(stage: Stage, case: Any) -> None:
    _, route = case
    for symbol in ("WETH", "DAI"):
        stage.give(symbol, 50 * ETHER)
    reason = stage.reason(stage.operator, stage.calldata(*route, funding=LAST_POOL))
    assert reason == f"RouteLoses(amountOut={stage.gives(route, ETHER)}, owed={ETHER})"


@pytest.mark.parametrize("case", BOTH)
def test_one_unit_too_little_for_the_last_pool_reverts_even_if_it_is_held(stage: Stage, case: Any) -> None:
    route = open_gap(stage, case)
    stage.give("DAI", 50 * ETHER)
    given = stage.gives(route[:1], ETHER)
    data = stage.calldata(*route, funding=LAST_POOL, last_amount_in=given + 1)
    assert stage.reason(stage.operator, data) == f"LastHopUnpaid(amountOut={given}, owed={given + 1})"
    assert not stage.send(stage.operator, data).ok
    assert stage.held("DAI") == 50 * ETHER


@pytest.mark.parametrize("case", BOTH)
def test_a_worse_state_before_the_last_hop_reverts_whatever_the_minimum(stage: Stage, case: Any) -> None:
    route = open_gap(stage, case)
    owed = stage.gives(route[:1], ETHER)
    stage.sell("balancer_v2/DAI", "WETH", ETHER // 100)
    now = stage.gives(route[:1], ETHER)
    assert now < owed
    data = stage.calldata(*route, funding=LAST_POOL, last_amount_in=owed, min_profit=0)
    assert stage.reason(stage.operator, data) == f"LastHopUnpaid(amountOut={now}, owed={owed})"


@pytest.mark.parametrize("case", BOTH)
def test_a_worse_state_of_the_last_pool_is_bounded_by_the_minimum(stage: Stage, case: Any) -> None:
    route = open_gap(stage, case)
    owed = stage.gives(route[:1], ETHER)
    promised = stage.gives(route, ETHER) - ETHER
    stage.sell(route[1], "DAI", 10**20)
    left = stage.gives(route, ETHER) - ETHER
    assert 0 < left < promised
    terms = {"funding": LAST_POOL, "last_amount_in": owed}
    reason = stage.reason(stage.operator, stage.calldata(*route, **terms, min_profit=promised))
    assert reason == f"NotProfitable(balance={left}, required={promised})"
    assert stage.send(stage.operator, stage.calldata(*route, **terms, min_profit=left)).ok
    assert stage.held() == left


@pytest.mark.parametrize("case", BOTH)
def test_what_the_last_pool_does_not_take_stays_as_it_is(stage: Stage, case: Any) -> None:
    route = open_gap(stage, case)
    stage.give("DAI", 7)
    owed = stage.gives(route[:1], ETHER)
    stage.sell("balancer_v2/DAI", "DAI", 10 * ETHER)  # and now the first hop gives more
    surplus = stage.gives(route[:1], ETHER) - owed
    assert surplus > 0
    assert stage.send(stage.operator, stage.calldata(*route, funding=LAST_POOL, last_amount_in=owed)).ok
    assert stage.held("DAI") == 7 + surplus
    assert stage.held() > 0


def test_a_last_pool_that_cannot_take_the_whole_input_refuses_the_route(stage: Stage) -> None:
    route, wanted = open_gap(stage, TO_V3), 10**9 * ETHER
    data = stage.calldata(*route, funding=LAST_POOL, last_amount_in=wanted)
    assert stage.reason(stage.operator, data).startswith(f"PartialFill(wanted={wanted}, taken=")


@pytest.mark.parametrize(
    ("pool", "reason"), [("uniswap_v2/DAI", "UniswapV2: LOCKED"), ("uniswap_v3/DAI", "LOK")]
)
@pytest.mark.parametrize("funding", [FIRST_POOL, LAST_POOL])
def test_a_pool_that_funds_a_route_cannot_be_its_other_hop(
    stage: Stage, pool: str, reason: str, funding: Funding
) -> None:
    # an input so large for the last hop that not the loss but the lock stops it
    data = stage.calldata(pool, pool, funding=funding, amount_in=10**12, last_amount_in=10**18)
    assert stage.reason(stage.operator, data) == reason


# --- hostile pools


def weth_first(stage: Stage, name: str) -> tuple[int, bytes, str, int]:
    """Return a hop from WETH over a real pool."""
    pool = stage.pool(name)
    other = next(token for token in pool.tokens if token != stage.weth)
    where = bytes.fromhex(pool.pool_id[2:]).rjust(32, b"\0")
    return VENUES[pool.family], where, other, pool.fee if pool.family == "uniswap_v2" else 0


@pytest.mark.parametrize("name", ["balancer_v2/DAI", "uniswap_v2/DAI", "uniswap_v3/DAI"])
def test_a_last_pool_that_only_says_it_paid_gets_nothing(stage: Stage, name: str) -> None:
    """The hops would be run with what the contract holds; the balance at the end tells."""
    stage.give("WETH", 5 * ETHER)
    hop, owed = weth_first(stage, name), stage.gives((name,), ETHER)
    dai = hop[2]
    # dai < weth, so the pool says (dai taken, weth given)
    claim = callback_v3(owed, -2 * ETHER, debt(dai, owed, hop, token_in=stage.weth, spend=ETHER))
    stage.backend.set_code(FAKE, puppet((stage.executor, claim), returns=encode(["int256"] * 2, [owed, -2])))
    data = execute(stage, ETHER, hop, (1, word(FAKE), stage.weth, 0), funding=LAST, last_amount_in=owed)
    reason = stage.reason(stage.operator, data)
    assert reason == f"NotProfitable(balance={4 * ETHER}, required={5 * ETHER})"
    assert not stage.send(stage.operator, data).ok
    assert (stage.held(), stage.held("DAI")) == (5 * ETHER, 0)


def test_a_last_pair_calls_back_for_nobody_else(stage: Stage) -> None:
    """A stranger lets the promised pair call back: with a flash swap of its own, or by itself."""
    hop, owed = weth_first(stage, "balancer_v2/DAI"), 10**18
    pair = stage.pool("uniswap_v2/DAI").address
    promised = debt(hop[2], owed, hop, token_in=stage.weth, spend=ETHER)
    swap = encode_call("swap(uint256,uint256,address,bytes)", 0, 1, stage.executor, promised)
    assert stage.reason(stage.stranger, swap, to=pair) == f"UnexpectedCallback(caller={pair})"
    for call in (
        encode_call("uniswapV2Call(address,uint256,uint256,bytes)", stage.executor, 0, ETHER, promised),
        callback_v3(1, -ETHER, promised),
        encode_call(
            "receiveFlashLoan(address[],uint256[],uint256[],bytes)", [hop[2]], [ETHER], [0], promised
        ),
    ):
        for sender in (stage.stranger, stage.operator, stage.owner):
            assert stage.reason(sender, call) == f"UnexpectedCallback(caller={sender})"


def test_the_promise_of_the_last_pool_is_gone_while_the_other_hops_run(stage: Stage) -> None:
    """Neither a hostile first pool nor the last one again can call back with it."""
    stage.give("WETH", 5 * ETHER)
    dai = stage.world.tokens["DAI"].address
    hop = (1, word(FAKE_2), dai, 0)
    promised = debt(dai, 1, hop, token_in=stage.weth, spend=ETHER)
    again = callback_v3(1, -2 * ETHER, promised)
    stage.backend.set_code(FAKE, puppet((stage.executor, again)))
    data = execute(stage, ETHER, hop, (1, word(FAKE), stage.weth, 0), funding=LAST, last_amount_in=1)
    for calls in (((stage.executor, again),), ((FAKE, b""),)):
        stage.backend.set_code(FAKE_2, puppet(*calls))
        caller = FAKE_2 if calls[0][0] == stage.executor else FAKE
        assert stage.reason(stage.operator, data) == f"UnexpectedCallback(caller={caller})"


def test_a_stolen_operator_key_cannot_take_what_is_held(stage: Stage) -> None:
    """Two pools of the thief: the first says it gave tokens, the last one is paid them from what is held."""
    dai, loot = stage.world.tokens["DAI"].address, 9 * ETHER
    stage.give("DAI", loot)
    stage.give("WETH", 2, FAKE)
    hops = [(1, word(FAKE_2), dai, 0), (1, word(FAKE), stage.weth, 0)]
    # dai < weth: the last pool answers (dai in, weth out), the first (dai out, weth in)
    pay = (stage.weth, encode_call("transfer(address,uint256)", stage.executor, 2))
    ask = callback_v3(loot, -2, debt(dai, loot, hops[0], token_in=stage.weth, spend=1))
    take = callback_v3(-loot, 1, debt(stage.weth, 1))
    stage.backend.set_code(
        FAKE, puppet(pay, (stage.executor, ask), returns=encode(["int256"] * 2, [loot, -2]))
    )
    stage.backend.set_code(FAKE_2, puppet((stage.executor, take), returns=encode(["int256"] * 2, [-loot, 1])))
    data = execute(stage, 1, *hops, funding=LAST, last_amount_in=loot)
    assert stage.reason(stage.operator, data) == f"BalanceDropped(token={dai}, balance=0, required={loot})"
