"""Carry out readings against a node: many at once, round by round, all at one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from chain.blocks import Address, BlockHeader
from chain.multicall import AskableNode, Multicall
from chain.questions import Answer, ContractCall, Question, Reading
from core.errors import MarketError, RpcError

__all__ = ["QUESTIONS_PER_BATCH", "AskableNode", "BlockParameter", "ask", "ask_all", "at_hash"]

T = TypeVar("T")
BlockParameter = str | Mapping[str, Any]
"""A height in hex, a tag, or a block by its hash (EIP-1898), see :func:`at_hash`."""
QUESTIONS_PER_BATCH = 500
_REVERTED = 3
"""Error code that nodes give a call whose contract reverted."""
_REVERT_WORDS = (
    "revert",
    "invalid opcode",
    "invalidfeopcode",
    "opcodenotfound",
    "out of gas",
    "outofgas",
    "invalid jump",
    "invalidjump",
    "stack",
    "out of bounds",
    "outofoffset",
    "memorylimit",
    "overflow",
    "write protection",
)
"""What nodes call it when a contract fails in another way than by reverting."""


def at_hash(header: BlockHeader) -> BlockParameter:
    """Return a block so that nodes refuse once another block has taken its place.

    References
    ----------
    EIP-1898.
    """
    return {"blockHash": "0x" + header.hash.hex(), "requireCanonical": True}


async def ask_all(
    node: AskableNode,
    readings: Sequence[Reading[T]],
    block: BlockParameter,
    multicall: Multicall | Address | None = None,
) -> list[T | MarketError | RpcError]:
    """Return what each reading read, in order; the error in place of one that could not go on.

    A reading that fails does not disturb the others, so that one strange contract does not keep a
    market from being loaded.

    Parameters
    ----------
    node
        Where to ask; it must still hold the state of that block.
    readings
        Fresh readings; each is used up.
    block
        Block for every question. A height may come to mean another block between two rounds; a
        block's hash does not.
    multicall
        Contract that takes many calls at once; a :class:`chain.multicall.Multicall` remembers how
        many from one time to the next. Where it is not there, calls go out as batches of requests.

    Raises
    ------
    RpcError
        If the node does not answer at all.
    """
    together = Multicall(multicall) if isinstance(multicall, str) else multicall
    results: list[T | MarketError | RpcError | None] = [None] * len(readings)
    rounds = {index: _first(reading, results, index) for index, reading in enumerate(readings)}
    waiting = {index: asked for index, asked in rounds.items() if asked is not None}
    while waiting:
        flat = [question for asked in waiting.values() for question in asked]
        answers = iter(await _answers(node, flat, block, together))
        upcoming: dict[int, Sequence[Question]] = {}
        for index, asked in waiting.items():
            own = [next(answers) for _ in asked]
            following = _advance(readings[index], own, results, index)
            if following is not None:
                upcoming[index] = following
        waiting = upcoming
    return results  # type: ignore[return-value]


async def ask(node: AskableNode, reading: Reading[T], block: BlockParameter) -> T:
    """Return what one reading read.

    Raises
    ------
    MarketError
        If the answers are not what the reading understands.
    RpcError
        If the node does not answer, or refuses.
    """
    (result,) = await ask_all(node, [reading], block)
    if isinstance(result, MarketError | RpcError):
        raise result
    return result


def _first(reading: Reading[T], results: list[Any], index: int) -> Sequence[Question] | None:
    try:
        return next(reading)
    except StopIteration as done:
        results[index] = done.value
    except (MarketError, RpcError) as error:
        results[index] = error
    return None


def _advance(
    reading: Reading[T], answers: Sequence[Answer | RpcError], results: list[Any], index: int
) -> Sequence[Question] | None:
    refused = next((answer for answer in answers if isinstance(answer, RpcError)), None)
    try:
        if refused is not None:
            reading.close()
            raise refused
        return reading.send(answers)  # type: ignore[arg-type]
    except StopIteration as done:
        results[index] = done.value
    except (MarketError, RpcError) as error:
        results[index] = error
    return None


async def _answers(
    node: AskableNode, questions: Sequence[Question], block: BlockParameter, multicall: Multicall | None
) -> list[Answer | RpcError]:
    answers: dict[int, Answer | RpcError] = {}
    if multicall is not None:
        calls = {place: asked for place, asked in enumerate(questions) if isinstance(asked, ContractCall)}
        together = await multicall.together(node, list(calls.values()), block)
        answers = {place: data for place, data in zip(calls, together, strict=True) if data is not None}
    alone = [place for place in range(len(questions)) if place not in answers]
    for start in range(0, len(alone), QUESTIONS_PER_BATCH):
        part = alone[start : start + QUESTIONS_PER_BATCH]
        results = await node.attempt([_request(questions[place], block) for place in part])
        for place, result in zip(part, results, strict=True):
            answers[place] = _answer(questions[place], result)
    return [answers[place] for place in range(len(questions))]


def _request(question: Question, block: BlockParameter) -> tuple[str, Sequence[Any]]:
    if isinstance(question, ContractCall):
        return "eth_call", [{"to": question.to, "data": "0x" + question.data.hex()}, block]
    return "eth_getStorageAt", [question.address, hex(question.slot), block]


def _answer(question: Question, result: Any) -> Answer | RpcError:
    if isinstance(result, RpcError):
        return None if _reverted(result) else result
    try:
        return bytes.fromhex(result.removeprefix("0x"))
    except (AttributeError, ValueError):
        return RpcError(
            "the node answered a question with something that is no hex; is it a node's address?",
            method=_request(question, "")[0],
            code=0,
            message=str(result)[:80],
            data=None,
        )


def _reverted(error: RpcError) -> bool:
    """Tell whether a contract refused, as opposed to the node."""
    if error.fields.get("code") == _REVERTED or error.fields.get("data"):
        return True
    message = str(error.fields.get("message", "")).lower()
    return any(word in message for word in _REVERT_WORDS)
