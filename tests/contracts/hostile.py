"""Contracts that are no pools of the world, and routes over them."""

from eth_abi.abi import encode

from chain.devnet.calldata import encode_call
from execution.encode import EXECUTE_SIGNATURE, HOP_TYPE
from tests.executor_stage import Stage

FIRST, LAST = 1, 2
"""Codes of the fundings that need no loan."""
HostileHop = tuple[int, bytes, str, int]
"""Venue, pool, token out and fee."""

FAKE = "0x" + "fa" * 20
FAKE_2 = "0x" + "fb" * 20


def puppet(*calls: tuple[str, bytes], returns: bytes = b"") -> bytes:
    """Code of a contract that, however it is called, makes these calls and returns these bytes."""
    size = 43 * len(calls) + 13
    blobs, body = b"", b""
    push = lambda value: b"\x61" + value.to_bytes(2, "big")  # noqa: E731
    for target, data in calls:
        body += push(len(data)) + push(size + 8 + len(blobs)) + b"\x5f\x39"  # copy the calldata to memory
        body += b"\x5f\x5f" + push(len(data)) + b"\x5f\x5f\x73" + bytes.fromhex(target[2:]) + b"\x5a\xf1"
        body += b"\x15" + push(size) + b"\x57"  # if it failed, fail with its reason
        blobs += data
    body += push(len(returns)) + push(size + 8 + len(blobs)) + b"\x5f\x39" + push(len(returns)) + b"\x5f\xf3"
    return body + b"\x5b\x3d\x5f\x5f\x3e\x3d\x5f\xfd" + blobs + returns


def debt(token: str, owed: int, *hops: HostileHop, token_in: str = "", spend: int = 0) -> bytes:
    """Encode what a callback is to do, as the executor does."""
    kind = f"(address,uint256,address,uint256,{HOP_TYPE}[])"
    return encode([kind], [(token, owed, token_in or token, spend, list(hops))])


def word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def execute(
    stage: Stage,
    amount_in: int,
    *hops: HostileHop,
    funding: int = FIRST,
    last_amount_in: int = 0,
    token: str = "",
    bid: int = 0,
) -> bytes:
    """Encode a route over contracts that are no pools of the world, funded by the first or last of them."""
    start = (token or stage.weth, amount_in, 0, bid, stage.number + 1)
    return encode_call(EXECUTE_SIGNATURE, (*start, funding, last_amount_in, list(hops)))


def callback_v3(amount0: int, amount1: int, data: bytes) -> bytes:
    return encode_call("uniswapV3SwapCallback(int256,int256,bytes)", amount0, amount1, data)
