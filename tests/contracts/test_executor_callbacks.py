"""Who may call back into the executor, and what a hostile pool, builder or operator cannot do."""

from eth_abi.abi import encode

from chain.devnet.calldata import encode_call
from tests.contracts.hostile import FAKE, FAKE_2, callback_v3, debt, execute, puppet, word
from tests.executor_stage import Stage

ETHER = 10**18
FEE_RECIPIENT = "0x" + "00" * 20  # block.coinbase of the chain in this process
ROUTE = ("uniswap_v3/USDC/500", "uniswap_v2/USDC")


def test_a_promised_pool_cannot_change_the_debt(stage: Stage) -> None:
    stage.give("WETH", 5 * ETHER)
    forged = callback_v3(5 * ETHER, -1, debt(stage.weth, 5 * ETHER, 0, []))
    stage.backend.set_code(FAKE, puppet((stage.executor, forged)))
    data = execute(stage, 1, (1, word(FAKE), stage.weth, 0))
    assert stage.reason(stage.operator, data) == f"UnexpectedCallback(caller={FAKE})"


def test_a_promised_pool_cannot_ask_for_more(stage: Stage) -> None:
    stage.give("WETH", 5 * ETHER)
    hop = (1, word(FAKE), stage.weth, 0)
    greedy = callback_v3(5 * ETHER, -6 * ETHER, debt(stage.weth, 1, 1, [hop]))
    stage.backend.set_code(FAKE, puppet((stage.executor, greedy)))
    reason = stage.reason(stage.operator, execute(stage, 1, hop))
    assert reason == f"PartialFill(wanted=1, taken={5 * ETHER})"


def test_a_promised_pool_is_paid_once(stage: Stage) -> None:
    stage.give("WETH", 5 * ETHER)
    hop = (1, word(FAKE), stage.weth, 0)
    callback = callback_v3(ETHER, -2 * ETHER, debt(stage.weth, ETHER, 1, [hop]))
    stage.backend.set_code(FAKE, puppet((stage.executor, callback), (stage.executor, callback)))
    assert stage.reason(stage.operator, execute(stage, ETHER, hop)) == f"UnexpectedCallback(caller={FAKE})"


def test_another_contract_cannot_use_the_promise(stage: Stage) -> None:
    stage.give("WETH", 5 * ETHER)
    hop = (1, word(FAKE), stage.weth, 0)
    callback = callback_v3(ETHER, -2 * ETHER, debt(stage.weth, ETHER, 1, [hop]))
    stage.backend.set_code(FAKE_2, puppet((stage.executor, callback)))
    stage.backend.set_code(FAKE, puppet((FAKE_2, b"")))
    assert stage.reason(stage.operator, execute(stage, ETHER, hop)) == f"UnexpectedCallback(caller={FAKE_2})"


def test_a_pool_that_never_calls_back_fails_the_route(stage: Stage) -> None:
    stage.backend.set_code(FAKE, puppet(returns=bytes(64)))
    data = execute(stage, 1, (1, word(FAKE), stage.weth, 0))
    assert stage.reason(stage.operator, data) == "CallbackMissing()"


def test_the_fee_recipient_cannot_come_back_in(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    assert stage.send(stage.owner, encode_call("setOperator(address,bool)", FEE_RECIPIENT, True)).ok
    for call in (
        stage.calldata(*ROUTE, target_block=stage.number + 1),
        callback_v3(1, -1, debt(stage.weth, 1, 0, [])),
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
    claim = callback_v3(1, -loot, debt(stage.weth, 1, 1, hops))
    ask = callback_v3(loot, -1, debt(usdc, loot, 0, []))
    # weth > usdc, so the first pool answers (usdc out, weth in), the second (usdc in, weth out)
    first = encode(["int256", "int256"], [-loot, 1])
    second = encode(["int256", "int256"], [loot, -2])
    keep_balance = (stage.weth, encode_call("transfer(address,uint256)", stage.executor, 2))
    stage.backend.set_code(FAKE, puppet((stage.executor, claim), returns=first))
    stage.backend.set_code(FAKE_2, puppet((stage.executor, ask), keep_balance, returns=second))
    data = execute(stage, 1, *hops)
    assert stage.reason(stage.operator, data) == f"BalanceDropped(token={usdc}, balance=0, required={loot})"
