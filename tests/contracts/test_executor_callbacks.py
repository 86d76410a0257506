"""Who may call back into the executor, and what a hostile pool, builder or operator cannot do."""

import pytest
from eth_abi.abi import encode

from chain.devnet.calldata import encode_call
from tests.contracts.hostile import FAKE, FAKE_2, FIRST, LAST, callback_v3, debt, execute, puppet, word
from tests.executor_stage import Stage

ETHER = 10**18
FEE_RECIPIENT = "0x" + "00" * 20  # block.coinbase of the chain in this process
ROUTE = ("uniswap_v3/USDC/500", "uniswap_v2/USDC")


# what one hop of a hostile V3 pool promises to pay, by the funding that promises it
PROMISES = [pytest.param(FIRST, {}, id="first-pool"), pytest.param(LAST, {"spend": ETHER}, id="last-pool")]


def one_hop(stage: Stage, funding: int) -> bytes:
    hop = (1, word(FAKE), stage.weth, 0)
    return execute(stage, ETHER, hop, funding=funding, last_amount_in=ETHER)


@pytest.mark.parametrize(("funding", "terms"), PROMISES)
def test_a_promised_pool_cannot_change_the_debt(stage: Stage, funding: int, terms: dict[str, int]) -> None:
    stage.give("WETH", 5 * ETHER)
    for changes in ({"owed": 5 * ETHER}, {"owed": ETHER - 1}, {"spend": 2 * ETHER}):
        forged = debt(**{"token": stage.weth, "owed": ETHER} | terms | changes)
        stage.backend.set_code(FAKE, puppet((stage.executor, callback_v3(ETHER, -2 * ETHER, forged))))
        reason = stage.reason(stage.operator, one_hop(stage, funding))
        assert reason == f"UnexpectedCallback(caller={FAKE})"


@pytest.mark.parametrize(("funding", "terms"), PROMISES)
def test_a_promised_pool_cannot_ask_for_more(stage: Stage, funding: int, terms: dict[str, int]) -> None:
    stage.give("WETH", 5 * ETHER)
    greedy = callback_v3(5 * ETHER, -6 * ETHER, debt(stage.weth, ETHER, **terms))
    stage.backend.set_code(FAKE, puppet((stage.executor, greedy)))
    reason = stage.reason(stage.operator, one_hop(stage, funding))
    assert reason == f"PartialFill(wanted={ETHER}, taken={5 * ETHER})"


@pytest.mark.parametrize(("funding", "terms"), PROMISES)
def test_a_promised_pool_is_paid_once(stage: Stage, funding: int, terms: dict[str, int]) -> None:
    stage.give("WETH", 5 * ETHER)
    callback = callback_v3(ETHER, -2 * ETHER, debt(stage.weth, ETHER, **terms))
    stage.backend.set_code(FAKE, puppet((stage.executor, callback), (stage.executor, callback)))
    assert stage.reason(stage.operator, one_hop(stage, funding)) == f"UnexpectedCallback(caller={FAKE})"
    # once gets through, to the check at the end
    stage.backend.set_code(FAKE, puppet((stage.executor, callback), returns=bytes(64)))
    reason = stage.reason(stage.operator, one_hop(stage, funding))
    assert reason == f"NotProfitable(balance={4 * ETHER}, required={5 * ETHER})"


@pytest.mark.parametrize(("funding", "terms"), PROMISES)
def test_another_contract_cannot_use_the_promise(stage: Stage, funding: int, terms: dict[str, int]) -> None:
    stage.give("WETH", 5 * ETHER)
    callback = callback_v3(ETHER, -2 * ETHER, debt(stage.weth, ETHER, **terms))
    stage.backend.set_code(FAKE_2, puppet((stage.executor, callback)))
    stage.backend.set_code(FAKE, puppet((FAKE_2, b"")))
    assert stage.reason(stage.operator, one_hop(stage, funding)) == f"UnexpectedCallback(caller={FAKE_2})"


@pytest.mark.parametrize("funding", [FIRST, LAST])
def test_a_pool_that_never_calls_back_fails_the_route(stage: Stage, funding: int) -> None:
    stage.backend.set_code(FAKE, puppet(returns=bytes(64)))
    assert stage.reason(stage.operator, one_hop(stage, funding)) == "CallbackMissing()"


def test_the_fee_recipient_cannot_come_back_in(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    assert stage.send(stage.owner, encode_call("setOperator(address,bool)", FEE_RECIPIENT, True)).ok
    for call in (
        stage.calldata(*ROUTE, target_block=stage.number + 1),
        callback_v3(1, -1, debt(stage.weth, 1)),
    ):
        stage.backend.set_code(FEE_RECIPIENT, puppet((stage.executor, call)))
        again = stage.calldata(*ROUTE, bid=1)
        assert stage.reason(stage.operator, again) == f"EtherTransferFailed(to={FEE_RECIPIENT})"
    stage.backend.set_code(FEE_RECIPIENT, puppet())
    assert stage.send(stage.operator, stage.calldata(*ROUTE, bid=1)).ok


def test_one_transaction_may_hold_two_routes(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    assert stage.send(stage.owner, encode_call("setOperator(address,bool)", FAKE, True)).ok
    route = stage.calldata(*ROUTE)
    stage.backend.set_code(FAKE, puppet((stage.executor, route), (stage.executor, route)))
    with stage.undone():
        assert stage.send(stage.operator, route).ok
        once = stage.held()
    assert stage.send(stage.stranger, b"", to=FAKE).ok
    assert once < stage.held() < 2 * once


def test_a_stolen_operator_key_cannot_take_what_is_held(stage: Stage) -> None:
    """Two pools of the thief: the first claims to have paid tokens, the second asks to be paid them."""
    usdc, loot = stage.world.tokens["USDC"].address, 9 * 10**6
    stage.give("USDC", loot)
    stage.give("WETH", ETHER)
    stage.give("WETH", ETHER, FAKE_2)
    hops = [(1, word(FAKE), usdc, 0), (1, word(FAKE_2), stage.weth, 0)]
    claim = callback_v3(1, -loot, debt(stage.weth, 1, hops[1], token_in=usdc))
    ask = callback_v3(loot, -1, debt(usdc, loot))
    # weth > usdc, so the first pool answers (usdc out, weth in), the second (usdc in, weth out)
    first = encode(["int256", "int256"], [-loot, 1])
    second = encode(["int256", "int256"], [loot, -2])
    keep_balance = (stage.weth, encode_call("transfer(address,uint256)", stage.executor, 2))
    stage.backend.set_code(FAKE, puppet((stage.executor, claim), returns=first))
    stage.backend.set_code(FAKE_2, puppet((stage.executor, ask), keep_balance, returns=second))
    data = execute(stage, 1, *hops)
    assert stage.reason(stage.operator, data) == f"BalanceDropped(token={usdc}, balance=0, required={loot})"
