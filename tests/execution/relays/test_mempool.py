"""The order of the public mempool."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from core.reasons import Reason
from execution.relays.mempool import PublicMempool
from execution.relays.transactions import SignedTransaction


def transaction(sender: str, nonce: int, tip: int, max_fee: int = 10_000) -> SignedTransaction:
    return SignedTransaction(
        raw=b"",
        hash=f"{sender}{nonce}{tip}{max_fee}".encode(),
        sender=sender,
        to="0x",
        nonce=nonce,
        value=0,
        gas_limit=21_000,
        max_fee=max_fee,
        max_priority_fee=tip,
        data=b"",
        access_list=(),
    )


OFFERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 50), st.integers(50, 200)),
    unique_by=lambda offer: offer[:2],
    max_size=18,
)


@given(OFFERS, st.integers(60, 150), st.randoms(use_true_random=False))
def test_every_sender_is_in_nonce_order_and_the_dearest_head_always_comes_first(
    offers: list[tuple[str, int, int, int]], base_fee: int, shuffler: object
) -> None:
    def order(transactions: list[SignedTransaction]) -> list[SignedTransaction]:
        pool = PublicMempool()
        for one in transactions:
            assert pool.add(one) is None
        return list(pool.in_order(base_fee, {"a": 0, "b": 1, "c": 0}))

    waiting = [transaction(*offer) for offer in offers]
    chosen = order(waiting)
    shuffler.shuffle(waiting)  # type: ignore[attr-defined]
    assert order(waiting) == chosen

    by_sender = defaultdict(dict)
    for one in waiting:
        by_sender[one.sender][one.nonce] = one
    expected = {"a": 0, "b": 1, "c": 0}
    for one in chosen:
        heads = [by_sender[sender].get(nonce) for sender, nonce in expected.items()]
        payable = [head.priority_fee(base_fee) for head in heads if head is not None]
        assert one.nonce == expected[one.sender]
        assert one.priority_fee(base_fee) == max(payable) >= 0
        expected[one.sender] += 1
    left = [by_sender[sender].get(nonce) for sender, nonce in expected.items()]
    assert all(head is None or head.priority_fee(base_fee) < 0 for head in left)


def test_a_replacement_must_raise_both_fees_by_a_tenth() -> None:
    pool = PublicMempool()
    assert pool.add(transaction("a", 0, 100, 1_000)) is None
    for tip, max_fee in ((109, 1_100), (110, 1_099)):
        refusal = pool.add(transaction("a", 0, tip, max_fee))
        assert refusal is not None
        assert refusal.reason is Reason.BAD_NONCE
    assert pool.add(transaction("a", 0, 110, 1_100)) is None
    assert [one.max_fee for one in pool] == [1_100]


def test_used_nonces_are_forgotten_with_their_senders() -> None:
    pool = PublicMempool()
    for nonce in range(3):
        pool.add(transaction("a", nonce, 1))
    pool.remove_used({"a": 2, "b": 7})
    assert [one.nonce for one in pool] == [2]
    pool.remove_used({"a": 3})
    assert len(pool) == 0
