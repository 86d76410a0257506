"""Verdicts, and the accounting identity against a ledger kept by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import RawLog
from core.errors import ExecutionError
from core.reasons import Reason
from execution.settlement import (
    DEPOSIT_TOPIC,
    TRANSFER_TOPIC,
    WITHDRAWAL_TOPIC,
    BlockFacts,
    Receipt,
    Rival,
    settle,
    token_change,
    unwrapped,
)

HOLDERS = ["0x" + f"{number:040x}" for number in (0xEC, 0xA1, 0xA2, 0xB1)]
WETH, OTHER = "0x" + "ee" * 20, "0x" + "da" * 20


def word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def log(token: str, topics: tuple[bytes, ...], amount: int) -> RawLog:
    return RawLog(100, 0, 0, bytes(32), token, topics, amount.to_bytes(32, "big"))


def transfer(token: str, sender: str, receiver: str, amount: int) -> RawLog:
    return log(token, (TRANSFER_TOPIC, word(sender), word(receiver)), amount)


def withdrawal(holder: str, amount: int) -> RawLog:
    return log(WETH, (WITHDRAWAL_TOPIC, word(holder)), amount)


def test_topics_are_the_hashes_of_their_signatures():
    assert keccak(text="Transfer(address,address,uint256)") == TRANSFER_TOPIC
    assert keccak(text="Withdrawal(address,uint256)") == WITHDRAWAL_TOPIC
    assert keccak(text="Deposit(address,uint256)") == DEPOSIT_TOPIC


moves = st.lists(
    st.tuples(
        st.sampled_from(["transfer", "withdraw", "deposit"]),
        st.sampled_from([WETH, OTHER]),
        st.sampled_from(HOLDERS),
        st.sampled_from(HOLDERS),
        st.integers(0, 2**128),
    ),
    max_size=30,
)


@given(moves=moves)
def test_changes_read_from_logs_equal_a_ledger_kept_by_hand(moves):
    ledger: Counter[tuple[str, str]] = Counter()
    unwrapped_by: Counter[str] = Counter()
    logs = []
    for kind, token, one, two, amount in moves:
        if kind == "transfer":
            ledger[token, one] -= amount
            ledger[token, two] += amount
            logs.append(transfer(token, one, two, amount))
        elif kind == "withdraw":
            logs.append(log(token, (WITHDRAWAL_TOPIC, word(one)), amount))
            if token == WETH:  # another token's event of that name moves nothing
                ledger[token, one] -= amount
                unwrapped_by[one] += amount
        else:
            logs.append(log(token, (DEPOSIT_TOPIC, word(one)), amount))
            if token == WETH:
                ledger[token, one] += amount
    for holder in HOLDERS:
        for token in (WETH, OTHER):
            assert token_change(logs, token, holder, WETH) == ledger[token, holder]
        assert unwrapped(logs, holder, WETH) == unwrapped_by[holder]


def test_logs_of_other_shapes_are_passed_over():
    nft = log(WETH, (TRANSFER_TOPIC, word(HOLDERS[0]), word(HOLDERS[1]), bytes(32)), 5)
    anonymous = log(WETH, (), 5)
    assert token_change([nft, anonymous], WETH, HOLDERS[1], WETH) == 0


def facts(case, **changes: object) -> BlockFacts:
    return replace(BlockFacts(100, None, (), accepted=True, late=False), **changes)


def judged(case, given_facts: BlockFacts, decision=None):
    return settle(
        case.bundle(), decision or case.decision(), given_facts, executor=case.executor, weth=case.weth
    )


def receipt(case, logs=(), ok=True, gas_used=190_000, price=10**9) -> Receipt:
    return Receipt(case.bundle().transaction_hashes[-1], 100, 3, ok, gas_used, price, tuple(logs))


def rival(*pools: str, payment: int | None = 10**17, gas_used: int = 200_000, index: int = 0) -> Rival:
    return Rival(bytes([index + 1]) * 32, index, pools, gas_used, payment)


@given(
    amount_in=st.integers(1, 10**24),
    gross=st.integers(1, 10**22),
    share=st.floats(0, 1),
    gas_used=st.integers(21_000, 10**6),
    price=st.integers(0, 10**11),
)
def test_gross_profit_is_profit_plus_bid_plus_gas(case, amount_in, gross, share, gas_used, price):
    bid = int(gross * share)
    logs = [
        transfer(case.weth, case.vault, case.executor, amount_in),
        transfer(case.weth, case.executor, case.pair, amount_in),
        transfer(case.dai, case.pair, case.executor, 2_000 * amount_in),
        transfer(case.dai, case.executor, case.pool, 2_000 * amount_in),
        transfer(case.weth, case.pool, case.executor, amount_in + gross),
        transfer(case.weth, case.executor, case.vault, amount_in),
    ]
    if bid:
        logs.append(withdrawal(case.executor, bid))
    settled = judged(case, facts(case, receipt=receipt(case, logs, True, gas_used, price)))
    assert settled.verdict is Reason.LANDED
    assert gross == settled.profit + settled.bid + settled.gas_cost
    assert (settled.bid, settled.winning_bid, settled.gas_cost) == (bid, bid, gas_used * price)


def test_a_revert_costs_its_gas_and_pays_no_bid(case):
    settled = judged(case, facts(case, receipt=receipt(case, ok=False)))
    assert settled.verdict is Reason.REVERTED
    assert settled.profit == -190_000 * 10**9
    assert (settled.bid, settled.winning_bid) == (0, None)


def test_our_own_inclusion_outweighs_every_rival(case):
    included = facts(case, receipt=receipt(case), rivals=(rival(case.pair, case.pool),), late=True)
    assert judged(case, included).verdict is Reason.LANDED


def test_an_arbitrage_that_paid_more_outbid_us(case):
    rivals = (
        rival(case.pair, case.pool, payment=5 * 10**16),
        rival(case.pair, case.pool, payment=9 * 10**16, index=1),
    )
    settled = judged(case, facts(case, rivals=rivals))
    assert settled.verdict is Reason.OUTBID
    assert settled.winning_bid == 9 * 10**16
    assert "02" * 32 in settled.detail
    assert (settled.profit, settled.gas_cost, settled.bid) == (0, 0, 4 * 10**16)


def test_an_arbitrage_that_paid_more_per_gas_outbid_us(case):
    cheaper = rival(case.pair, case.pool, payment=3 * 10**16, gas_used=100_000)
    assert judged(case, facts(case, rivals=(cheaper,))).verdict is Reason.OUTBID


def test_the_rival_is_the_one_that_a_builder_ranks_first_and_its_gas_is_told(case):
    dear = rival(case.pair, case.pool, payment=9 * 10**16, gas_used=400_000)
    cheap = rival(case.pair, case.pool, payment=6 * 10**16, gas_used=100_000, index=1)
    settled = judged(case, facts(case, rivals=(dear, cheap)))
    assert settled.verdict is Reason.OUTBID
    assert (settled.winning_bid, settled.rival_payment, settled.rival_gas) == (
        6 * 10**16,
        6 * 10**16,
        100_000,
    )
    assert settled.least_winning_bid(200_000) == 12 * 10**16 + 1
    included = judged(case, facts(case, receipt=receipt(case)))
    assert (included.rival_payment, included.rival_gas, included.least_winning_bid(1)) == (None, None, None)


@given(
    paid=st.integers(0, 10**18),
    gas=st.integers(21_000, 10**6),
    ours=st.integers(21_000, 10**6),
    bid=st.integers(0, 10**18),
)
def test_outbid_means_that_our_bid_was_below_the_least_winning_one(case, paid, gas, ours, bid):
    decision = case.decision(bid=bid, gas_estimate=ours)
    settled = judged(
        case, facts(case, rivals=(rival(case.pair, case.pool, payment=paid, gas_used=gas),)), decision
    )
    least = settled.least_winning_bid(ours)
    assert (settled.verdict is Reason.OUTBID) == (bid < least) == (bid * gas <= paid * ours)


def test_an_arbitrage_that_paid_more_but_less_per_gas_moved_the_state(case):
    heavy = rival(case.pair, case.pool, payment=5 * 10**16, gas_used=900_000)
    settled = judged(case, facts(case, rivals=(heavy,)))
    assert (settled.verdict, settled.rival_gas) == (Reason.STATE_MOVED, 900_000)
    assert settled.least_winning_bid(200_000) < 4 * 10**16


def test_a_price_of_which_one_is_unknown_is_not_told_as_the_one_to_beat(case):
    rivals = (rival(case.pair, case.pool), rival(case.pair, case.pool, payment=None, index=1))
    settled = judged(case, facts(case, rivals=rivals))
    assert (settled.verdict, settled.winning_bid) == (Reason.OUTBID, 10**17)
    assert (settled.rival_payment, settled.rival_gas) == (None, None)


def test_an_arbitrage_that_paid_less_in_every_way_moved_the_state(case):
    first_come = rival(case.pair, case.pool, payment=10**15, gas_used=300_000)
    settled = judged(case, facts(case, rivals=(first_come,)))
    assert settled.verdict is Reason.STATE_MOVED
    assert settled.winning_bid == 10**15


def test_an_arbitrage_of_unknown_payment_outbid_us_by_an_unknown_amount(case):
    unknown = rival(case.pair, case.pool, payment=None)
    settled = judged(case, facts(case, rivals=(unknown,)))
    assert (settled.verdict, settled.winning_bid) == (Reason.OUTBID, None)
    known = rival(case.pair, case.pool, payment=6 * 10**16, index=1)
    assert judged(case, facts(case, rivals=(unknown, known))).winning_bid == 6 * 10**16


def test_a_trade_in_one_pool_moved_the_state(case):
    settled = judged(case, facts(case, rivals=(rival(case.pool, payment=10**18),)))
    assert (settled.verdict, settled.winning_bid) == (Reason.STATE_MOVED, None)
    assert (settled.rival_payment, settled.rival_gas) == (10**18, 200_000)
    assert case.pool in settled.detail


def test_late_and_never_taken_bundles_are_told_apart(case):
    taken = (rival(case.pair, case.pool),)
    assert judged(case, facts(case, late=True, rivals=taken)).verdict is Reason.LATE
    assert judged(case, facts(case, accepted=False, rivals=taken)).verdict is Reason.NEVER_SIMULATED
    assert judged(case, facts(case)).verdict is Reason.NEVER_SIMULATED


def test_records_that_do_not_belong_together_are_refused(case):
    for wrong in (
        facts(case, block_number=101),
        facts(case, receipt=replace(receipt(case), transaction_hash=bytes(32))),
    ):
        with pytest.raises(ExecutionError, match="belong together"):
            judged(case, wrong)
    with pytest.raises(ExecutionError, match="belong together"):
        judged(case, facts(case), decision=case.decision(2))
