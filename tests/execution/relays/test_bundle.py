"""Limits and names of bundles."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.reasons import Reason
from core.seams import Ids
from execution.bundle import make_bundle, to_params


def test_the_hash_is_keccak_of_the_concatenated_transaction_hashes() -> None:
    bundle = make_bundle(Ids(), "decision-000001", [b"\x02a", b"\x02b"], 5)
    assert bundle.bundle_hash == keccak(keccak(b"\x02a") + keccak(b"\x02b"))


@pytest.mark.parametrize(
    ("transactions", "words"),
    [
        ([], "at least one"),
        ([b"\x02", b""], "no empty one"),
        ([b"\x02"] * 101, "101 transactions"),
        ([bytes(150_000), bytes(150_001)], "300001 bytes"),
    ],
)
def test_what_no_relay_takes_is_refused_with_a_reason(transactions: list[bytes], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_bundle(Ids(), "decision-000001", transactions, 5)
    assert caught.value.fields["reason"] is Reason.BUNDLE_MALFORMED


def test_a_bundle_exactly_at_both_limits_is_taken() -> None:
    assert make_bundle(Ids(), "decision-000001", [bytes(3_000)] * 100, 5).target_block == 5


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.integers(0, 2**40))
def test_parameters_carry_the_same_bytes_in_the_same_order(transactions: list[bytes], block: int) -> None:
    params = to_params(make_bundle(Ids(), "decision-000001", transactions, block), "name")
    assert [bytes.fromhex(text[2:]) for text in params["txs"]] == transactions
    assert int(params["blockNumber"], 16) == block
    assert params["replacementUuid"] == "name"
