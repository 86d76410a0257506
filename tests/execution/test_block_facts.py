"""What a node's call traces say about payments, whatever was traced."""

from __future__ import annotations

from typing import Any

import pytest

from execution.block_facts import direct_payment, gather_facts

RECIPIENT = "0x" + "b1" * 20
OTHER = "0x" + "b2" * 20


def paying(kind: str = "CALL", to: str = RECIPIENT) -> dict[str, Any]:
    return {"type": kind, "to": to, "value": "0x7"}


@pytest.mark.parametrize(
    ("call", "paid"),
    [
        (paying(), 7),
        (paying(to=RECIPIENT.upper().replace("X", "x")), 7),
        (paying("SELFDESTRUCT"), 7),
        (paying(to=OTHER), 0),
        (paying("DELEGATECALL"), 0),
        (paying("CALLCODE"), 0),  # runs foreign code on the caller's own account
        ({**paying(), "error": "out of gas", "calls": [paying()]}, 0),
        ({"type": "CREATE", "calls": [paying(), paying()]}, 14),
        ({"type": "STATICCALL", "to": RECIPIENT, "calls": None}, 0),
    ],
)
def test_only_wei_that_reaches_the_fee_recipient_is_paid(call: dict[str, Any], paid: int) -> None:
    assert direct_payment({"type": "CALL", "to": OTHER, "value": "0x9", "calls": [call]}, RECIPIENT) == paid


def test_a_trace_may_be_as_deep_as_the_chain_allows() -> None:
    trace = paying()
    for _ in range(1024):
        trace = {"type": "CALL", "to": OTHER, "calls": [trace]}
    assert direct_payment(trace, RECIPIENT) == 7


async def test_a_trace_too_deep_to_read_leaves_the_payment_unknown(case: Any) -> None:
    log = {"address": case.pair, "topics": [], "transactionIndex": "0x0", "transactionHash": "0x" + "77" * 32}
    answers = {
        "eth_getBlockByNumber": {"baseFeePerGas": "0x1", "miner": RECIPIENT},
        "eth_getLogs": [log],
        "eth_getTransactionReceipt": {
            **log, "blockNumber": "0x64", "status": "0x1", "gasUsed": "0x5",
            "effectiveGasPrice": "0x3", "logs": [],
        },
    }  # fmt: skip

    class DeepTrace:
        async def call(self, method: str, params: list[Any]) -> Any:
            if method == "debug_traceTransaction":
                raise RecursionError  # as a JSON parser does
            ours = params[0] == "0x" + case.bundle().transaction_hashes[-1].hex()
            return None if ours else answers[method]

    facts = await gather_facts(
        DeepTrace(), case.bundle(), case.decision(), case.specs, accepted=True, late=False
    )
    assert [rival.payment for rival in facts.rivals] == [None]
