"""Who may do what: every entry of the executor, from every side."""

from typing import Any

import pytest
from eth_utils.crypto import keccak

from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import encode_arguments, encode_call
from core.errors import DevnetError
from tests.contracts.hostile import FAKE, FIRST, LAST, debt, execute, word
from tests.executor_stage import Stage

ETHER = 10**18
ROUTE = ("uniswap_v3/USDC/500", "uniswap_v2/USDC")

REFUSES_A_STRANGER = {
    "execute": "NotOperator",
    "pause": "NotOperator",
    "unpause": "NotOwner",
    "setOperator": "NotOwner",
    "sweep": "NotOwner",
    "sweepEther": "NotOwner",
    "transferOwnership": "NotOwner",
    "acceptOwnership": "NotPendingOwner",
    "receiveFlashLoan": "UnexpectedCallback",
    "uniswapV2Call": "UnexpectedCallback",
    "uniswapV3SwapCallback": "UnexpectedCallback",
}
FOR_THE_OWNER_ONLY = [name for name, error in REFUSES_A_STRANGER.items() if error == "NotOwner"]
EMPTY = {"uint256": 0, "int256": 0, "bool": True, "bytes": b"", "uint256[]": [], "address[]": []}


def entries() -> dict[str, dict[str, Any]]:
    abi = load_artifact("OmniArbExecutor").abi
    return {
        entry["name"]: entry
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }


def any_call(stage: Stage, name: str) -> bytes:
    if name == "execute":
        return bytes(stage.calldata(*ROUTE))
    types = [parameter["type"] for parameter in entries()[name]["inputs"]]
    values = [stage.stranger if kind == "address" else EMPTY[kind] for kind in types]
    if name == "receiveFlashLoan":
        values[1] = values[2] = [0]
    if name == "uniswapV2Call":
        values[0] = stage.executor
    return encode_call(f"{name}({','.join(types)})", *values)


def test_every_entry_is_in_the_table() -> None:
    assert set(entries()) == set(REFUSES_A_STRANGER)


@pytest.mark.parametrize("name", REFUSES_A_STRANGER)
def test_a_stranger_is_refused_at_every_entry(stage: Stage, name: str) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    reason = stage.reason(stage.stranger, any_call(stage, name))
    expected = f"(caller={stage.stranger})"
    assert reason == REFUSES_A_STRANGER[name] + expected


@pytest.mark.parametrize("name", FOR_THE_OWNER_ONLY)
def test_an_operator_is_refused_where_only_the_owner_may(stage: Stage, name: str) -> None:
    stage.give("WETH", ETHER)
    assert stage.reason(stage.operator, any_call(stage, name)) == f"NotOwner(caller={stage.operator})"


@pytest.mark.parametrize("name", ["receiveFlashLoan", "uniswapV2Call", "uniswapV3SwapCallback"])
@pytest.mark.parametrize("who", ["owner", "operator"])
def test_not_even_the_owner_may_play_a_pool(stage: Stage, name: str, who: str) -> None:
    sender = getattr(stage, who)
    assert stage.reason(sender, any_call(stage, name)) == f"UnexpectedCallback(caller={sender})"


def test_a_stranger_cannot_make_a_real_pool_call_back(stage: Stage) -> None:
    stage.give("WETH", ETHER)
    pair = stage.pool("uniswap_v2/USDC").address
    data = debt(stage.weth, ETHER)
    swap = encode_call("swap(uint256,uint256,address,bytes)", 1, 0, stage.executor, data)
    assert stage.reason(stage.stranger, swap, to=pair) == f"UnexpectedCallback(caller={pair})"


def test_a_stranger_cannot_make_the_vault_lend_to_us(stage: Stage) -> None:
    loan = encode_call(
        "flashLoan(address,address[],uint256[],bytes)",
        stage.executor,
        [stage.weth],
        [ETHER],
        debt(stage.weth, ETHER),
    )
    vault = stage.world.vault
    assert stage.reason(stage.stranger, loan, to=vault) == f"UnexpectedCallback(caller={vault})"


def test_the_operator_stops_and_only_the_owner_starts_again(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    stage.give("WETH", ETHER)
    assert stage.send(stage.operator, encode_call("pause()")).ok
    for sender in (stage.operator, stage.owner):
        assert stage.reason(sender, stage.calldata(*ROUTE)) == "ExecutionPaused()"
    assert stage.send(stage.owner, encode_call("sweep(address,uint256)", stage.weth, ETHER)).ok
    assert not stage.send(stage.operator, encode_call("unpause()")).ok
    assert stage.send(stage.owner, encode_call("unpause()")).ok
    assert stage.send(stage.operator, stage.calldata(*ROUTE)).ok


def test_a_dismissed_operator_is_a_stranger(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    dismiss = encode_call("setOperator(address,bool)", stage.operator, False)
    assert stage.send(stage.owner, dismiss).ok
    assert stage.reason(stage.operator, stage.calldata(*ROUTE)) == f"NotOperator(caller={stage.operator})"
    assert stage.send(stage.owner, stage.calldata(*ROUTE)).ok


def test_sweeping_pays_the_owner_and_nobody_else(stage: Stage) -> None:
    stage.give("WETH", 3 * ETHER)
    stage.give("USDC", 7)
    stage.backend.set_balance(stage.executor, 11)
    ether, weth, usdc = (
        stage.backend.get_balance(stage.owner),
        stage.held("WETH", stage.owner),
        stage.held("USDC", stage.owner),
    )
    for call in (
        encode_call("sweep(address,uint256)", stage.weth, 2 * ETHER),
        encode_call("sweep(address,uint256)", stage.world.tokens["USDC"].address, 7),
        encode_call("sweepEther(uint256)", 11),
    ):
        assert stage.send(stage.owner, call).ok
    assert stage.backend.get_balance(stage.owner) - ether == 11
    assert stage.held("WETH", stage.owner) - weth == 2 * ETHER
    assert stage.held("USDC", stage.owner) - usdc == 7
    assert (stage.held("WETH"), stage.held("USDC")) == (ETHER, 0)


def test_sweeping_what_is_not_there_reverts(stage: Stage) -> None:
    nobody = "0x" + "77" * 20
    sweep = "sweep(address,uint256)"
    assert (
        stage.reason(stage.owner, encode_call(sweep, stage.weth, 1)) == f"TransferFailed(token={stage.weth})"
    )
    assert stage.reason(stage.owner, encode_call(sweep, nobody, 1)) == f"TransferFailed(token={nobody})"
    too_much = encode_call("sweepEther(uint256)", 1)
    assert stage.reason(stage.owner, too_much) == f"EtherTransferFailed(to={stage.owner})"


def test_ownership_moves_only_when_the_new_owner_accepts(stage: Stage) -> None:
    new = stage.stranger
    accept = encode_call("acceptOwnership()")
    assert stage.send(stage.owner, encode_call("transferOwnership(address)", new)).ok
    assert stage.read("address", "owner()") == (stage.owner,)
    assert stage.reason(stage.operator, accept) == f"NotPendingOwner(caller={stage.operator})"
    assert stage.send(new, accept).ok
    assert stage.read("address", "owner()") == (new,)
    assert stage.reason(stage.owner, encode_call("unpause()")) == f"NotOwner(caller={stage.owner})"
    assert not stage.send(new, accept).ok


def test_an_offer_of_ownership_can_be_withdrawn(stage: Stage) -> None:
    for account in (stage.stranger, "0x" + "00" * 20):
        assert stage.send(stage.owner, encode_call("transferOwnership(address)", account)).ok
    assert not stage.send(stage.stranger, encode_call("acceptOwnership()")).ok


def test_ether_comes_from_weth_only(stage: Stage) -> None:
    assert not stage.backend.send(stage.stranger, stage.executor, value=1).ok
    assert stage.reason(stage.stranger, b"") == f"EtherOnlyFromWeth(sender={stage.stranger})"


def test_a_bid_needs_weth_as_the_start_token(stage: Stage) -> None:
    usdc = stage.world.tokens["USDC"].address
    data = execute(stage, 1, (0, word(FAKE), usdc, 0), token=usdc, bid=1)
    assert stage.reason(stage.operator, data) == f"BidNeedsWeth(token={usdc})"


def test_a_route_must_come_back_to_its_start(stage: Stage) -> None:
    usdc = stage.world.tokens["USDC"].address
    data = execute(stage, 1, (1, word(FAKE), usdc, 0))
    assert stage.reason(stage.operator, data) == f"CycleNotClosed(start={stage.weth}, end={usdc})"


def test_a_route_needs_a_hop(stage: Stage) -> None:
    assert stage.reason(stage.operator, execute(stage, 1)) == "EmptyRoute()"


@pytest.mark.parametrize(("funding", "hop"), [(FIRST, 0), (LAST, 1)])
def test_a_pool_of_the_vault_cannot_fund_a_route(stage: Stage, funding: int, hop: int) -> None:
    dai = stage.world.tokens["DAI"].address
    hops = (2, word(FAKE), dai, 0), (2, word(FAKE), stage.weth, 0)
    data = execute(stage, 1, *hops, funding=funding, last_amount_in=1)
    assert stage.reason(stage.operator, data) == f"HopCannotFund(hop={hop})"


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_the_constructor_refuses_a_zero_address(stage: Stage, missing: int) -> None:
    arguments = [stage.weth, stage.world.vault, stage.owner, stage.operator]
    arguments[missing] = "0x" + "00" * 20
    code = load_artifact("OmniArbExecutor").bytecode
    with pytest.raises(DevnetError, match=keccak(text="ZeroAddress()")[:4].hex()):
        stage.backend.deploy(
            stage.owner, code + encode_arguments("address,address,address,address", *arguments)
        )
