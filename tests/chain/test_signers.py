"""Signing against the reference account library and published vectors."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.signers import FlashbotsIdentity, Wallet, verify_header
from core.errors import ExecutionError, SecretError
from core.secrets import KeySource, PrivateKey, write_keystore

# published throw-away key and vector of the relay's signature header
KEY = b"\x11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_sendBundle","params":[{"txs":["0x02"],"blockNumber":"0x1"}]}'
SIGNATURE = (
    "0x1b818b18afb94ed71cf54a402c6883e59a85c12fbe9823c3bec060a2841e5a9e"
    "56e7b6347abe7cbe492d2a25135886c44994517c2a76d01b9199c02ca24790aa1c"
)

keys = st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key, "big") < 2**255)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
wei = st.integers(0, 2**128)
access_lists = st.lists(
    st.fixed_dictionaries(
        {
            "address": addresses,
            "storageKeys": st.lists(
                st.binary(min_size=32, max_size=32).map(lambda b: "0x" + b.hex()), max_size=2
            ),
        }
    ),
    max_size=2,
)
transactions = st.fixed_dictionaries(
    {
        "chainId": st.integers(1, 2**32),
        "nonce": st.integers(0, 2**32),
        "maxPriorityFeePerGas": wei,
        "maxFeePerGas": wei,
        "gas": st.integers(21_000, 30_000_000),
        "value": wei,
        "data": st.binary(max_size=100).map(lambda raw: "0x" + raw.hex()),
    },
    optional={"to": addresses, "accessList": access_lists},
)


@settings(deadline=None, max_examples=60)
@given(keys, transactions)
def test_signed_transactions_equal_those_of_the_reference_library(key: bytes, fields: dict[str, Any]) -> None:
    reference = dict(fields, type=2)
    if "to" in fields:
        reference["to"] = to_checksum_address(fields["to"])
    if "accessList" in fields:
        reference["accessList"] = [
            entry | {"address": to_checksum_address(entry["address"])} for entry in fields["accessList"]
        ]
    signed = Account.sign_transaction(reference, key)
    raw, digest = Wallet.from_key(key).sign_transaction(fields)
    assert raw == bytes(signed.raw_transaction)
    assert digest == bytes(signed.hash)


@settings(deadline=None, max_examples=40)
@given(keys, st.binary(max_size=300))
def test_headers_verify_and_equal_those_of_the_reference_library(key: bytes, body: bytes) -> None:
    identity = FlashbotsIdentity(PrivateKey(key))
    header = identity.header(body)
    reference = Account.from_key(key).sign_message(encode_defunct(text="0x" + keccak(body).hex()))
    assert header == f"{identity.address}:0x{bytes(reference.signature).hex()}"
    assert verify_header(header, body) == identity.address


def test_the_published_header_vector() -> None:
    header = FlashbotsIdentity(PrivateKey(KEY)).header(BODY)
    assert header == f"{ADDRESS.lower()}:{SIGNATURE}"
    assert verify_header(f"{ADDRESS}:{SIGNATURE}", BODY) == ADDRESS.lower()
    assert verify_header(f"{ADDRESS}:{SIGNATURE[:-2]}01", BODY) == ADDRESS.lower()


@pytest.mark.parametrize(
    ("header", "body", "reason"),
    [
        (f"{ADDRESS}:{SIGNATURE}", BODY + b" ", "exact bytes"),
        (f"0x{'22' * 20}:{SIGNATURE}", BODY, "signed"),
        (f"{ADDRESS}:{SIGNATURE[:-2]}", BODY, "address:signature"),
        (f"{ADDRESS}{SIGNATURE}", BODY, "address:signature"),
        ("", BODY, "address:signature"),
        (f"{ADDRESS}:{SIGNATURE[:-2]}1d", BODY, "recovery byte"),
        (f"{ADDRESS}:0x{'00' * 64}1b", BODY, "no secp256k1 signature"),
        (f"{ADDRESS}:0x{'ff' * 64}1b", BODY, "no secp256k1 signature"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: str, body: bytes, reason: str) -> None:
    with pytest.raises(SecretError, match=reason):
        verify_header(header, body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonce": None}, "whole number"),
        ({"nonce": -1}, "whole number"),
        ({"gas": 21_000.0}, "whole number"),
        ({"value": True}, "whole number"),
        ({"value": 2**256}, "whole number"),
        ({"to": "0x12"}, "has 1 bytes, not 20"),
        ({"to": "xyz"}, "no hex"),
        ({"data": 5}, "bytes or hex"),
        ({"accessList": [{"address": "0x" + "11" * 20}]}, "accessList"),
        ({"gasPrice": 1}, "no field gasPrice"),
        ({"type": 0}, "type 2"),
    ],
)
def test_a_transaction_that_cannot_be_meant_is_refused(change: dict[str, Any], reason: str) -> None:
    fields = {"chainId": 1, "nonce": 0, "maxPriorityFeePerGas": 1, "maxFeePerGas": 2, "gas": 21_000}
    with pytest.raises(ExecutionError, match=reason):
        Wallet.from_key(KEY).sign_transaction(fields | change)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ExecutionError, match="lacks nonce"):
        Wallet.from_key(KEY).sign_transaction({"chainId": 1})


def test_wallets_never_show_or_lend_their_key(tmp_path: Any) -> None:
    write_keystore(tmp_path / "k.json", PrivateKey(KEY), "pw", light=True)
    wallet = Wallet.from_keystore(KeySource(keystore=tmp_path / "k.json", password_env="PW"), {"PW": "pw"})
    assert wallet.address == ADDRESS.lower()
    for holder in (wallet, FlashbotsIdentity(wallet.key)):
        assert "11" * 8 not in f"{holder!r} {holder}"
        with pytest.raises(SecretError):
            pickle.dumps(holder)
