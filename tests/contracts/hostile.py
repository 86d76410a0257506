"""Contracts that are no pools of the world, and routes over them."""

from eth_abi.abi import encode

from chain.devnet.calldata import encode_call
from execution.encode import HOP_TYPE
from tests.executor_stage import Stage

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


def debt(token: str, amount: int, first: int, hops: list[tuple[int, bytes, str, int]]) -> bytes:
    return encode([f"(address,uint256,uint256,{HOP_TYPE}[])"], [(token, amount, first, hops)])


def word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def execute(stage: Stage, amount_in: int, *hops: tuple[int, bytes, str, int], bid: int = 0) -> bytes:
    """Encode a route over contracts that are no pools of the world, funded by the first of them."""
    route = (stage.weth, amount_in, 0, bid, stage.number + 1, 1, list(hops))
    signature = f"execute((address,uint256,uint256,uint256,uint256,uint8,{HOP_TYPE}[]))"
    return encode_call(signature, route)


def callback_v3(amount0: int, amount1: int, data: bytes) -> bytes:
    return encode_call("uniswapV3SwapCallback(int256,int256,bytes)", amount0, amount1, data)
