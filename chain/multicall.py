"""Many calls as one: Multicall3's ``aggregate3``, with as many calls at once as the node takes.

A call that fails inside is not believed, since it may have failed for want of gas that it would have
had alone; whoever asks must ask for it again alone.

References
----------
Multicall3, one address on most chains; ``configs/chains/`` says where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chain.blocks import Address
from chain.questions import ContractCall
from core.errors import RpcError
from core.reasons import Reason, Refusal

AGGREGATE3 = bytes.fromhex("82ad56cb")
"""Selector of ``aggregate3((address,bool,bytes)[])``, which returns ``(bool,bytes)[]``."""
CALLS_AT_ONCE = 500
"""To begin with: some three million gas of small views, where nodes allow fifty."""
PARTS_PER_EXCHANGE = 8

_WORD = 32
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_SIZE_WORDS = ("gas", "large", "size", "timeout", "timed out", "deadline", "aborted", "http 413")
"""What nodes say of a call that is too much at once."""


class AskableNode(Protocol):
    """What asking needs of a node; :class:`chain.providers.Provider` has it."""

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        """Return the results of several requests in order, the error in place of one that failed."""
        ...


class Multicall:
    """The contract on one chain; remembers how many calls the node takes at once.

    Parameters
    ----------
    address
        Where the contract lies, or should.

    Attributes
    ----------
    size
        Calls at once; halved whenever a node finds it too much.
    fallback
        Why nothing is asked together any more; ``None`` while it is.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.size = CALLS_AT_ONCE
        self.fallback: Refusal | None = None
        self._seen = False

    async def together(
        self, node: AskableNode, calls: Sequence[ContractCall], block: str | Mapping[str, Any]
    ) -> list[bytes | None]:
        """Return what each call answers, ``None`` for one that must be asked alone.

        Raises
        ------
        RpcError
            If the node does not answer at all.
        """
        answers: list[bytes | None] = [None] * len(calls)
        if len(calls) < 2 or not await self._is_there(node, block):
            return answers
        waiting = self._parts([place for place, call in enumerate(calls) if _ADDRESS.fullmatch(call.to)])
        while waiting and self.fallback is None:
            parts, waiting = waiting[:PARTS_PER_EXCHANGE], waiting[PARTS_PER_EXCHANGE:]
            most = max(len(part) for part in parts)
            results = await self._exchange(node, [[calls[place] for place in part] for part in parts], block)
            for part, result in zip(parts, results, strict=True):
                if isinstance(result, RpcError) and not _is_too_much(result) and not _reverted(result):
                    return answers  # nothing that fewer calls would change: asked alone, it says why
                found = self._taken(result, len(part), most)
                if found is None:
                    waiting.append(part)
                else:
                    for place, answer in zip(part, found, strict=True):
                        answers[place] = answer
            waiting = [piece for part in waiting for piece in self._parts(part)]
        return answers

    async def _is_there(self, node: AskableNode, block: str | Mapping[str, Any]) -> bool:
        """Tell whether the contract is there, asked once."""
        if not self._seen and self.fallback is None:
            (code,) = await node.attempt([("eth_getCode", [self.address, block])])
            if isinstance(code, RpcError):
                return False
            if code in ("", "0x", None):
                self._give_up(f"there is no contract at {self.address} at block {block}")
            self._seen = True
        return self.fallback is None

    def _parts(self, places: Sequence[int]) -> list[Sequence[int]]:
        return [places[at : at + self.size] for at in range(0, len(places), self.size)]

    async def _exchange(
        self, node: AskableNode, parts: Sequence[Sequence[ContractCall]], block: str | Mapping[str, Any]
    ) -> list[Any | RpcError]:
        """Send some parts; if they are too much together, each of them counts as too much."""
        requests = [{"to": self.address, "data": "0x" + packed(part).hex()} for part in parts]
        try:
            return await node.attempt([("eth_call", [request, block]) for request in requests])
        except RpcError as error:
            if not _is_too_much(error):
                raise
            return [error] * len(parts)

    def _taken(self, result: Any | RpcError, count: int, most: int) -> list[bytes | None] | None:
        """Return what each call of a part answers; ``None`` if not taken, and then less is sent at once.

        ``most`` is the size of the exchange's largest part, all of which may have been too much together.
        """
        if not isinstance(result, RpcError):
            answers = unpacked(result, count)
            if answers is None:
                self._give_up(f"{self.address} does not answer as Multicall3 does")
            return answers
        if not _is_too_much(result):
            self._give_up(f"{self.address} reverts, so it is not Multicall3")
        elif most <= 2:
            self._give_up(f"the node takes no two calls at once: {result.fields.get('message')}")
        else:
            self.size = min(self.size, most // 2)
        return None

    def _give_up(self, why: str) -> None:
        self.fallback = Refusal(Reason.NO_MULTICALL, f"{why}; calls are asked one by one")


def packed(calls: Sequence[ContractCall]) -> bytes:
    """Return the calldata of ``aggregate3`` for some calls, each of which may fail."""
    tails = [
        b"".join(
            (
                bytes.fromhex(call.to[2:]).rjust(_WORD, b"\0"),
                _number(1),
                _number(3 * _WORD),
                _number(len(call.data)),
                call.data.ljust(-(-len(call.data) // _WORD) * _WORD, b"\0"),
            )
        )
        for call in calls
    ]
    offsets = []
    offset = _WORD * len(calls)
    for tail in tails:
        offsets.append(_number(offset))
        offset += len(tail)
    return b"".join((AGGREGATE3, _number(_WORD), _number(len(calls)), *offsets, *tails))


def unpacked(result: Any, count: int) -> list[bytes | None] | None:
    """Return the answers in what ``aggregate3`` returned, ``None`` for a call that failed.

    Returns
    -------
    list or None
        ``None`` if these are not so many answers, or not the contract's.
    """
    try:
        data = bytes.fromhex(result.removeprefix("0x"))
    except (AttributeError, ValueError):
        return None
    start = _read(data, 0) + _WORD
    if _read(data, start - _WORD) != count or len(data) < start + _WORD * count:
        return None
    answers: list[bytes | None] = []
    for place in range(count):
        at = start + _read(data, start + _WORD * place)
        succeeded, tail = _read(data, at), at + _read(data, at + _WORD)
        end = tail + _WORD + _read(data, tail)
        if succeeded > 1 or end > len(data):
            return None
        answers.append(data[tail + _WORD : end] if succeeded else None)
    return answers


def _read(data: bytes, at: int) -> int:
    """Return the word at a place; more than any place where the data has none."""
    return int.from_bytes(data[at : at + _WORD], "big") if at + _WORD <= len(data) else 2**256


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def _reverted(error: RpcError) -> bool:
    return error.fields.get("code") == 3 or "revert" in str(error.fields.get("message", "")).lower()


def _is_too_much(error: RpcError) -> bool:
    message = str(error.fields.get("message", "")).lower()
    return any(word in message for word in _SIZE_WORDS)
