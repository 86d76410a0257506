"""Uniswap's published routers have the last word on what their calldata does to pools of V2, V3 and V4."""

from __future__ import annotations

import pytest

from chain.devnet.calldata import encode_call
from core.reasons import Reason, Refusal
from market.pending.intents import NATIVE
from tests.market.pending.router_calls import (
    ANY,
    PAY_DEBT,
    SWEEP_ETHER,
    TOO_MUCH,
    UNWRAP_REST,
    along,
    by_swap_router_02,
    by_v2_router,
    may_fail,
    pairs,
    single,
    sub_plan,
    take,
    take_all,
    v2_buy,
    v2_sell,
    v3_buy,
    v3_sell,
    v4_path,
    v4_single,
    wrap,
)
from tests.market.pending.router_stage import RouterStage, build_stage
from tests.market.pending.routes import (
    DAI,
    FRIEND,
    ROUTER,
    SENDER,
    USDC,
    WETH,
    WHOLE_BALANCE,
    packed,
    pair,
    plan,
    v4,
)

WBTC = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
ETHER, DOLLARS = 10**18, 10**6
V2_ROUTER_CASES = {
    "exact input": by_v2_router("swapExactTokensForTokens", 3 * ETHER, ANY, [WETH, USDC]),
    "exact input along two pairs": by_v2_router(
        "swapExactTokensForTokens", 3_000 * DOLLARS, ANY, [USDC, WETH, DAI]
    ),
    "exact output along two pairs": by_v2_router(
        "swapTokensForExactTokens", 3_000 * ETHER, TOO_MUCH, [USDC, WETH, DAI]
    ),
    "exact input of ether": by_v2_router("swapExactETHForTokens", ANY, [WETH, WBTC], value=5 * ETHER),
    "exact output for ether": by_v2_router("swapETHForExactTokens", 10**6, [WETH, WBTC], value=5 * ETHER),
    "exact input for ether": by_v2_router("swapExactTokensForETH", 3_000 * DOLLARS, ANY, [USDC, WETH]),
    "exact output of ether": by_v2_router("swapTokensForExactETH", 2 * ETHER, TOO_MUCH, [USDC, WETH]),
    "taxed tokens": by_v2_router(
        "swapExactTokensForTokensSupportingFeeOnTransferTokens", 3_000 * DOLLARS, ANY, [USDC, WETH, DAI]
    ),
    "taxed tokens for ether in": by_v2_router(
        "swapExactETHForTokensSupportingFeeOnTransferTokens", ANY, [WETH, WBTC], value=5 * ETHER
    ),
    "taxed tokens for ether out": by_v2_router(
        "swapExactTokensForETHSupportingFeeOnTransferTokens", 3_000 * DOLLARS, ANY, [USDC, WETH]
    ),
}


SELL, BUY = "swapExactTokensForTokens", "swapTokensForExactTokens"
SWAP_ROUTER_02_CASES = {
    "V2, exact input": by_swap_router_02(pairs(SELL, 3 * ETHER, ANY, way=[WETH, USDC])),
    "V2, exact output along two pairs": by_swap_router_02(
        pairs(BUY, 3_000 * ETHER, TOO_MUCH, way=[USDC, WETH, DAI], recipient=FRIEND)
    ),
    "V3, exact input": by_swap_router_02(single("exactInputSingle", WETH, USDC, FRIEND, 3 * ETHER, ANY)),
    "V3, exact output": by_swap_router_02(
        single("exactOutputSingle", WETH, USDC, FRIEND, 3_000 * DOLLARS, TOO_MUCH)
    ),
    "V3, exact input along two pools": by_swap_router_02(
        along("exactInput", packed(USDC, 3000, WETH, 3000, DAI), 5_000 * DOLLARS, ANY)
    ),
    "V3, exact output along two pools": by_swap_router_02(
        along("exactOutput", packed(DAI, 3000, WETH, 500, USDC), 5_000 * ETHER, TOO_MUCH)
    ),
    "V3, then V2 with all that came out": by_swap_router_02(
        single("exactInputSingle", USDC, WETH, ROUTER, 9_000 * DOLLARS, 0),
        pairs(SELL, 0, ANY, way=[WETH, WBTC]),
    ),
    "ether wrapped, then V3 with all of it": by_swap_router_02(
        encode_call("wrapETH(uint256)", 2 * ETHER),
        single("exactInputSingle", WETH, USDC, FRIEND, 0, ANY),
        value=2 * ETHER,
    ),
    "tokens pulled, then V2 with all of them": by_swap_router_02(
        encode_call("pull(address,uint256)", USDC, 7_000 * DOLLARS),
        pairs(SELL, 0, ANY, way=[USDC, WETH]),
    ),
}

FAILING_SALE = v2_sell(ETHER, WETH, DAI, least=TOO_MUCH)
UNIVERSAL_CASES = {
    "ether wrapped, then V2": plan(wrap(3 * ETHER), v2_sell(3 * ETHER, WETH, DAI), value=3 * ETHER),
    "ether wrapped, then V3 with all of it": plan(
        wrap(3 * ETHER), v3_sell(WHOLE_BALANCE, WETH, 500, USDC), value=3 * ETHER
    ),
    "all ether wrapped, V3, then V2 with all that came out": plan(
        wrap(WHOLE_BALANCE),
        v3_sell(3 * ETHER, WETH, 500, USDC, recipient=ROUTER),
        v2_sell(WHOLE_BALANCE, USDC, WETH),
        value=3 * ETHER,
    ),
    "V3 pays the pair that is next": plan(
        wrap(WHOLE_BALANCE),
        v3_sell(3 * ETHER, WETH, 500, USDC, recipient=pair(USDC, WETH)),
        v2_sell(0, USDC, WETH),
        value=3 * ETHER,
    ),
    "V2, exact output": plan(wrap(9 * ETHER), v2_buy(2_000 * ETHER, WETH, DAI), UNWRAP_REST, value=9 * ETHER),
    "V3, exact output": plan(wrap(9 * ETHER), v3_buy(10**7, WBTC, 3000, WETH), UNWRAP_REST, value=9 * ETHER),
    "a share is paid to somebody before the rest is sold": plan(
        wrap(9 * ETHER),
        v3_sell(WHOLE_BALANCE, WETH, 500, USDC, recipient=ROUTER),
        (0x06, "address,address,uint256", (USDC, FRIEND, 25)),
        v2_sell(WHOLE_BALANCE, USDC, WETH),
        value=9 * ETHER,
    ),
    "a plan within the plan": plan(
        wrap(5 * ETHER), sub_plan(v2_sell(ETHER, WETH, DAI)), UNWRAP_REST, value=5 * ETHER
    ),
    "a plan that may fail, and does, is undone": plan(
        wrap(5 * ETHER),
        may_fail(sub_plan(v2_sell(ETHER, WETH, USDC), FAILING_SALE)),
        v2_sell(WHOLE_BALANCE, WETH, DAI),
        value=5 * ETHER,
    ),
    "a plan that fails within a plan that does not": plan(
        wrap(5 * ETHER),
        may_fail(sub_plan(v2_sell(ETHER, WETH, USDC), may_fail(sub_plan(FAILING_SALE)))),
        v2_sell(WHOLE_BALANCE, WETH, DAI),
        value=5 * ETHER,
    ),
}

V4_CASES = {
    "exact input": plan(v4(v4_single(0x06, 3 * ETHER, ANY), PAY_DEBT, take_all(USDC)), value=3 * ETHER),
    "a deposit sold whole": plan(
        v4(
            (0x0B, "address,uint256,bool", (NATIVE, WHOLE_BALANCE, False)),
            v4_single(0x06, 0, ANY),
            take(USDC, SENDER),
        ),
        value=3 * ETHER,
    ),
    "exact input along two pools": plan(
        v4(v4_path(0x07, NATIVE, (USDC, DAI), 3 * ETHER, ANY), PAY_DEBT, take_all(DAI)), value=3 * ETHER
    ),
    "exact input along two pools, each at a price that is kept": plan(
        v4(v4_path(0x07, NATIVE, (USDC, DAI), 3 * ETHER, ANY, [10**27, 10**7]), PAY_DEBT, take_all(DAI)),
        value=3 * ETHER,
    ),
    "exact output": plan(
        v4(v4_single(0x08, 1_000 * DOLLARS, TOO_MUCH), PAY_DEBT, take_all(USDC)), SWEEP_ETHER, value=3 * ETHER
    ),
    "exact output along two pools": plan(
        v4(v4_path(0x09, DAI, (NATIVE, USDC), 1_000 * ETHER, TOO_MUCH), PAY_DEBT, take_all(DAI)),
        SWEEP_ETHER,
        value=3 * ETHER,
    ),
    "V4, a share paid to somebody, then V2 with the rest": plan(
        v4(
            v4_single(0x06, 3 * ETHER, ANY),
            PAY_DEBT,
            (0x10, "address,address,uint256", (USDC, FRIEND, 30)),
            take(USDC, ROUTER),
        ),
        v2_sell(WHOLE_BALANCE, USDC, WETH),
        value=3 * ETHER,
    ),
}
CASES = {
    f"{router}: {name}": transaction
    for router, cases in (
        ("V2Router02", V2_ROUTER_CASES),
        ("SwapRouter02", SWAP_ROUTER_02_CASES),
        ("Universal Router", UNIVERSAL_CASES),
        ("Universal Router, V4", V4_CASES),
    )
    for name, transaction in cases.items()
}
FAILING_CASES = {
    "V2Router02: too little comes out": by_v2_router(
        "swapExactTokensForTokens", 3 * ETHER, TOO_MUCH, [WETH, USDC]
    ),
    "SwapRouter02: the second of two calls fails": by_swap_router_02(
        single("exactInputSingle", USDC, WETH, ROUTER, 9_000 * DOLLARS, 0),
        pairs(SELL, 0, TOO_MUCH, way=[WETH, WBTC]),
    ),
    "Universal Router: a swap that may fail ends it all": plan(
        wrap(5 * ETHER), may_fail(FAILING_SALE), v2_sell(ETHER, WETH, DAI), UNWRAP_REST, value=5 * ETHER
    ),
    "Universal Router: a plan that must not fail ends it all": plan(
        wrap(5 * ETHER), sub_plan(FAILING_SALE), v2_sell(ETHER, WETH, DAI), UNWRAP_REST, value=5 * ETHER
    ),
    "Universal Router, V4: too little comes out": plan(
        v4(v4_single(0x06, 3 * ETHER, TOO_MUCH), PAY_DEBT, take_all(USDC)), value=3 * ETHER
    ),
}


@pytest.fixture
def stage() -> RouterStage:
    return build_stage()


@pytest.mark.parametrize("name", CASES)
async def test_the_pools_end_as_predicted_to_the_wei(stage: RouterStage, name: str) -> None:
    before = await stage.pools()
    predicted = stage.predicted(CASES[name], before)
    assert not isinstance(predicted, Refusal), predicted
    assert stage.mine(CASES[name])
    after = await stage.pools()
    assert {key: pool for key, pool in after.items() if pool != before[key]} == predicted
    assert predicted


@pytest.mark.parametrize("name", FAILING_CASES)
async def test_what_is_predicted_to_fail_reverts(stage: RouterStage, name: str) -> None:
    before = await stage.pools()
    predicted = stage.predicted(FAILING_CASES[name], before)
    assert isinstance(predicted, Refusal)
    assert predicted.reason is Reason.PENDING_SLIPPAGE
    assert not stage.mine(FAILING_CASES[name])
    assert await stage.pools() == before
