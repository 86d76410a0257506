"""Calls packed for Multicall3: its published bytecode gives what the calls give alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from chain.asking import ask_all
from chain.devnet.calldata import encode_call
from chain.multicall import AGGREGATE3, CALLS_AT_ONCE, Multicall, packed, unpacked
from chain.questions import Answer, ContractCall, Question, Reading, StorageSlot
from core.errors import RpcError
from core.reasons import Reason
from tests.chain.conftest import Chain
from tests.multicall3 import ADDRESS, multicall3_code

ECHO, BURNER, REVERTER = (f"0x{kind:040x}" for kind in (0xEC0, 0xB0A, 0xDEAD))
ECHO_CODE = "0x365f5f37365ff3"
"""Returns its calldata."""
BURNER_CODE = "0x620186a05b6001900380600457365f5f37365ff3"
"""Returns its calldata after two and a half million gas."""
REVERTER_CODE = "0x5f5ffd"
CALLS_TYPE, ANSWERS_TYPE = "(address,bool,bytes)[]", "(bool,bytes)[]"

some_calls = st.lists(
    st.builds(
        ContractCall,
        st.binary(min_size=20, max_size=20).map(lambda address: "0x" + address.hex()),
        st.binary(max_size=70),
    ),
    max_size=6,
)
some_answers = st.lists(st.tuples(st.booleans(), st.binary(max_size=70)), max_size=6)


@given(calls=some_calls)
def test_calls_are_packed_as_the_contract_reads_them(calls: list[ContractCall]) -> None:
    data = packed(calls)
    assert data[:4] == AGGREGATE3 == encode_call(f"aggregate3({CALLS_TYPE})", [])[:4]
    (read,) = decode([CALLS_TYPE], data[4:])
    assert read == tuple((call.to, True, call.data) for call in calls)
    assert data[4:] == encode([CALLS_TYPE], [[(call.to, True, call.data) for call in calls]])


@given(answers=some_answers)
def test_answers_are_unpacked_as_the_contract_writes_them(answers: list[tuple[bool, bytes]]) -> None:
    written = "0x" + encode([ANSWERS_TYPE], [answers]).hex()
    assert unpacked(written, len(answers)) == [data if ok else None for ok, data in answers]
    assert unpacked(written, len(answers) + 1) is None


@given(answers=some_answers, cut=st.integers(0, 400), put=st.binary(max_size=40))
def test_a_damaged_answer_gives_so_many_answers_or_none(
    answers: list[tuple[bool, bytes]], cut: int, put: bytes
) -> None:
    data = encode([ANSWERS_TYPE], [answers])
    found = unpacked("0x" + (data[:cut] + put + data[cut + len(put) + 7 :]).hex(), len(answers))
    assert found is None or len(found) == len(answers)


@pytest.mark.parametrize("result", [None, 7, "0x", "0xzz", {}, "0x" + "ff" * 64])
def test_what_is_no_answer_gives_none(result: Any) -> None:
    assert unpacked(result, 1) is None


def reading_of(questions: Sequence[Question]) -> Reading[list[Answer]]:
    answers = yield questions
    return list(answers)


class Counting:
    """A node between us and the real one: counts what is asked, and may refuse too much at once."""

    def __init__(
        self, chain: Chain, most_bytes: int = 10**9, message: str = "", code: int | None = 1
    ) -> None:
        self.node = chain.provider
        self.asked: list[str] = []
        self.exchanges = 0
        self.most_bytes, self.message, self.code = most_bytes, message, code

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        self.asked += [method for method, _ in requests]
        self.exchanges += 1
        fields = {"method": "eth_call", "code": self.code, "message": self.message, "data": None}
        too_much = [len(str(params)) > self.most_bytes for _, params in requests]
        if any(too_much) and self.code is None:
            raise RpcError("refused", **fields)
        answers = await self.node.attempt(requests)
        return [
            RpcError("refused", **fields) if large else answer
            for large, answer in zip(too_much, answers, strict=True)
        ]


async def prepare(chain: Chain) -> list[Question]:
    """Place the contracts; return calls that echo, one that reverts, one to nothing, and a slot."""
    codes = ((ECHO, ECHO_CODE), (BURNER, BURNER_CODE), (REVERTER, REVERTER_CODE))
    for address, code in (*codes, (ADDRESS, "0x" + multicall3_code().hex())):
        await chain.provider.call("anvil_setCode", [address, code])
    await chain.provider.call("anvil_setStorageAt", [ECHO, "0x5", f"0x{77:064x}"])
    questions: list[Question] = [ContractCall(ECHO, place.to_bytes(3, "big")) for place in range(700)]
    questions[3] = StorageSlot(ECHO, 5)
    questions[500] = ContractCall(REVERTER, b"")
    questions[600] = ContractCall("0x" + "99" * 20, b"\1")
    return questions


async def asked(node: Any, questions: Sequence[Question], multicall: Any) -> list[Answer]:
    (found,) = await ask_all(node, [reading_of(questions)], "latest", multicall)
    if isinstance(found, Exception):
        raise found
    return found


async def test_the_published_contract_answers_as_the_calls_do_alone(chain: Chain) -> None:
    questions = await prepare(chain)
    alone = await asked(chain.provider, questions, None)
    assert (alone[2], alone[3], alone[500], alone[600]) == (b"\0\0\2", (77).to_bytes(32, "big"), None, b"")
    node = Counting(chain)
    assert await asked(node, questions, ADDRESS) == alone
    together = -(-699 // CALLS_AT_ONCE)
    assert node.asked.count("eth_getCode") == 1
    assert node.asked.count("eth_call") == together + 1  # the one that failed was asked alone
    assert node.asked.count("eth_getStorageAt") == 1
    assert node.exchanges == 3  # is it there, together, alone


async def test_a_call_that_runs_out_of_the_common_gas_is_not_taken_for_one_that_reverts(
    chain: Chain,
) -> None:
    await prepare(chain)
    questions = [ContractCall(BURNER, place.to_bytes(3, "big")) for place in range(40)]
    multicall = Multicall(ADDRESS)
    assert await asked(chain.provider, questions, multicall) == [question.data for question in questions]


@pytest.mark.parametrize("code", [-32000, None])
async def test_fewer_calls_are_packed_where_the_node_finds_them_too_many(
    chain: Chain, code: int | None
) -> None:
    questions = await prepare(chain)
    alone = await asked(chain.provider, questions, None)
    message = "request too large" if code else "HTTP 413 Request Entity Too Large"
    node, multicall = Counting(chain, 40_000, message, code), Multicall(ADDRESS)
    assert await asked(node, questions, multicall) == alone
    assert 1 < multicall.size < CALLS_AT_ONCE
    assert multicall.fallback is None
    remembered, before = multicall.size, len(node.asked)
    assert await asked(node, questions, multicall) == alone
    assert multicall.size == remembered
    assert "eth_getCode" not in node.asked[before:]


@pytest.mark.parametrize(
    ("address", "most_bytes", "message", "why"),
    [
        ("0x" + "98" * 20, 10**9, "", "no contract at"),
        (ECHO, 10**9, "", "does not answer as Multicall3"),
        (REVERTER, 10**9, "", "reverts"),
        (ADDRESS, 100, "gas limit exceeded", "no two calls at once"),
    ],
)
async def test_calls_go_out_one_by_one_where_they_cannot_go_together_and_the_reason_is_kept(
    chain: Chain, address: str, most_bytes: int, message: str, why: str
) -> None:
    questions = (await prepare(chain))[:9]
    node, multicall = Counting(chain, most_bytes, message), Multicall(address)
    assert await asked(node, questions, multicall) == await asked(chain.provider, questions, None)
    assert multicall.fallback is not None
    assert multicall.fallback.reason is Reason.NO_MULTICALL
    assert why in multicall.fallback.detail
    before = len(node.asked)
    await asked(node, questions, multicall)
    assert len(node.asked) == before + len(questions)


async def test_what_has_nothing_to_do_with_size_is_asked_alone_and_does_not_end_the_packing(
    chain: Chain,
) -> None:
    questions = [*(await prepare(chain))[:9], ContractCall("0x12", b"")]
    multicall = Multicall(ADDRESS)
    alone = await asked(chain.provider, questions[:9], None)
    assert await asked(Counting(chain, 300, "header not found"), questions[:9], multicall) == alone
    assert multicall.fallback is None
    with pytest.raises(RpcError):  # no address, so the node refuses it
        await asked(chain.provider, questions, multicall)
    gone = {"blockHash": "0x" + "77" * 32, "requireCanonical": True}
    (error,) = await ask_all(chain.provider, [reading_of(questions[:9])], gone, multicall)
    assert isinstance(error, RpcError)
    assert multicall.fallback is None


async def test_a_node_that_is_gone_is_an_error(chain: Chain) -> None:
    questions = await prepare(chain)
    with pytest.raises(RpcError, match="refused"):
        await asked(Counting(chain, 100, "no answer within 10 s", None), questions, ADDRESS)


async def test_one_call_goes_out_alone(chain: Chain) -> None:
    questions = (await prepare(chain))[:1]
    node = Counting(chain)
    assert await asked(node, questions, ADDRESS) == [b"\0\0\0"]
    assert node.asked == ["eth_call"]
