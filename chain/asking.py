"""Carry out readings against a node: many at once, round by round, all at one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from chain.questions import Answer, ContractCall, Question, Reading
from core.errors import MarketError, RpcError

T = TypeVar("T")
QUESTIONS_PER_BATCH = 500
_REVERTED = 3
"""Error code that nodes give a call whose contract reverted."""
_REVERT_WORDS = ("revert", "invalid opcode", "out of gas", "invalidfeopcode", "opcodenotfound")


class AskableNode(Protocol):
    """What asking needs of a node; :class:`chain.providers.Provider` has it."""

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        """Return the results of several requests in order, the error in place of one that failed."""
        ...


async def ask_all(
    node: AskableNode, readings: Sequence[Reading[T]], block: str
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
        Block for every question: a height in hex, or what the node takes in its place.

    Raises
    ------
    RpcError
        If the node does not answer at all.
    """
    results: list[T | MarketError | RpcError | None] = [None] * len(readings)
    rounds = {index: _first(reading, results, index) for index, reading in enumerate(readings)}
    waiting = {index: asked for index, asked in rounds.items() if asked is not None}
    while waiting:
        flat = [question for asked in waiting.values() for question in asked]
        answers = iter(await _answers(node, flat, block))
        upcoming: dict[int, Sequence[Question]] = {}
        for index, asked in waiting.items():
            own = [next(answers) for _ in asked]
            following = _advance(readings[index], own, results, index)
            if following is not None:
                upcoming[index] = following
        waiting = upcoming
    return results  # type: ignore[return-value]


async def ask(node: AskableNode, reading: Reading[T], block: str) -> T:
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


async def _answers(node: AskableNode, questions: Sequence[Question], block: str) -> list[Answer | RpcError]:
    answers: list[Answer | RpcError] = []
    for start in range(0, len(questions), QUESTIONS_PER_BATCH):
        part = questions[start : start + QUESTIONS_PER_BATCH]
        results = await node.attempt([_request(question, block) for question in part])
        answers.extend(_answer(question, result) for question, result in zip(part, results, strict=True))
    return answers


def _request(question: Question, block: str) -> tuple[str, Sequence[Any]]:
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
