"""Signers: the wallet that pays for transactions, and the identity that signs bundles.

Signing is on the event path, so a transaction is encoded and signed without the detours of a
general account library; the bytes are the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from coincurve import PublicKey
from eth_utils.crypto import keccak
from rlp.codec import encode_raw

from chain.blocks import Address
from core.errors import ExecutionError, SecretError
from core.secrets import KeySource, PrivateKey, load_key

HEADER = "X-Flashbots-Signature"

_DYNAMIC_FEE = b"\x02"
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_FIELDS = frozenset((*_NUMBERS, "type", "to", "value", "data", "accessList"))
_HEADER_FORM = re.compile(r"(0x[0-9a-fA-F]{40}):0x([0-9a-fA-F]{130})")


class Wallet:
    r"""The account that pays. It shows its address and never its key.

    Examples
    --------
    >>> wallet = Wallet(PrivateKey(b"\x11" * 32))
    >>> wallet
    Wallet(address='0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a')
    >>> raw, digest = wallet.sign_transaction({
    ...     "chainId": 1, "nonce": 0, "maxPriorityFeePerGas": 1, "maxFeePerGas": 2, "gas": 21000,
    ...     "to": wallet.address, "value": 0, "data": b""})
    >>> raw[:1].hex(), len(digest)
    ('02', 32)
    """

    __slots__ = ("_key", "address")

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.address: Address = key.address

    @classmethod
    def from_key(cls, key: PrivateKey | bytes | str) -> Wallet:
        """Return the wallet of a key, its 32 bytes or its hex digits.

        Raises
        ------
        SecretError
            If it is no valid key.
        """
        if isinstance(key, str):
            return cls(PrivateKey.from_hex(key))
        return cls(PrivateKey(key) if isinstance(key, bytes) else key)

    @classmethod
    def from_keystore(cls, source: KeySource, environ: Mapping[str, str]) -> Wallet:
        """Return the wallet whose key is where ``source`` says.

        Raises
        ------
        SecretError
            If the key cannot be loaded.
        """
        return cls(load_key(source, environ))

    @property
    def key(self) -> PrivateKey:
        """The key's holder, to check that two purposes do not share one."""
        return self._key

    def sign_transaction(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Sign an EIP-1559 transaction.

        Parameters
        ----------
        transaction
            ``chainId``, ``nonce``, ``maxPriorityFeePerGas``, ``maxFeePerGas`` (wei per gas), ``gas``,
            and optionally ``to`` (absent: creation), ``value`` (wei), ``data`` (bytes or hex) and
            ``accessList`` of ``{"address", "storageKeys"}``.

        Returns
        -------
        tuple[bytes, bytes]
            The raw transaction and its hash.

        Raises
        ------
        ExecutionError
            If a field is missing, unknown, negative or of the wrong type.
        """
        payload = _payload(transaction)
        digest = keccak(_DYNAMIC_FEE + encode_raw(payload))
        signature = self._key.sign_digest(digest)
        payload += [_number(signature[64]), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")]
        raw: bytes = _DYNAMIC_FEE + encode_raw(payload)
        return raw, keccak(raw)

    def __repr__(self) -> str:
        return f"Wallet(address={self.address!r})"


class FlashbotsIdentity:
    """The key that signs bundles' bodies: a name known to relays, which holds no funds."""

    __slots__ = ("_key", "address")

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.address: Address = key.address

    @property
    def key(self) -> PrivateKey:
        """The key's holder, to check that two purposes do not share one."""
        return self._key

    def header(self, body: bytes) -> str:
        """Return the value of ``X-Flashbots-Signature`` for exactly these body bytes."""
        signature = self._key.sign_digest(_body_digest(body))
        return f"{self.address}:0x{signature[:64].hex()}{signature[64] + 27:02x}"

    def __repr__(self) -> str:
        return f"FlashbotsIdentity(address={self.address!r})"


def verify_header(header: str, body: bytes) -> Address:
    """Return the address that signed these body bytes.

    Takes a checksummed or lowercase address and a recovery byte of 27/28 or 0/1.

    Raises
    ------
    SecretError
        If the header has another form, or its signature is not by the address it names.
    """
    match = _HEADER_FORM.fullmatch(header.strip())
    if match is None:
        raise SecretError(f"{HEADER} must be 'address:signature' (0x and 40, 0x and 130 hex digits)")
    claimed, signature = match[1].lower(), bytes.fromhex(match[2])
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if recovery not in (0, 1):
        raise SecretError(f"the recovery byte of {HEADER} is {signature[64]}, not 0, 1, 27 or 28")
    try:
        public = PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery]), _body_digest(body), hasher=None
        )
    except ValueError:
        raise SecretError(f"the signature in {HEADER} is no secp256k1 signature") from None
    signer = "0x" + keccak(public.format(compressed=False)[1:])[12:].hex()
    if signer != claimed:
        raise SecretError(f"{HEADER} names {claimed} but {signer} signed; sign the exact bytes that are sent")
    return signer


def _body_digest(body: bytes) -> bytes:
    text = b"0x" + keccak(body).hex().encode()
    return keccak(b"\x19Ethereum Signed Message:\n66" + text)


def _payload(transaction: Mapping[str, Any]) -> list[Any]:
    unknown = transaction.keys() - _FIELDS
    if unknown:
        raise ExecutionError(f"a transaction has no field {', '.join(sorted(map(str, unknown)))}")
    if transaction.get("type", 2) not in (2, "0x2", "0x02"):
        raise ExecutionError("only EIP-1559 transactions (type 2) are signed here")
    payload: list[Any] = []
    for name in _NUMBERS:
        if name not in transaction:
            raise ExecutionError(f"the transaction lacks {name}", field=name)
        payload.append(_number(transaction[name], name))
    payload.append(_bytes(transaction.get("to") or b"", "to", (0, 20)))
    payload.append(_number(transaction.get("value", 0), "value"))
    payload.append(_bytes(transaction.get("data", b""), "data"))
    payload.append(_access_list(transaction.get("accessList", ())))
    return payload


def _number(value: object, name: str = "v") -> bytes:
    if type(value) is not int or not 0 <= value < 2**256:
        raise ExecutionError(
            f"{name} of a transaction must be a whole number from 0 up, not {value!r}", field=name
        )
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _bytes(value: object, name: str, lengths: Sequence[int] = ()) -> bytes:
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            raise ExecutionError(f"{name} of a transaction is no hex: {value!r}", field=name) from None
    if not isinstance(value, bytes | bytearray):
        raise ExecutionError(f"{name} of a transaction must be bytes or hex, not {value!r}", field=name)
    if lengths and len(value) not in lengths:
        raise ExecutionError(f"{name} of a transaction has {len(value)} bytes, not {lengths[-1]}", field=name)
    return bytes(value)


def _access_list(entries: Sequence[Mapping[str, Any]]) -> list[Any]:
    try:
        return [
            [
                _bytes(entry["address"], "accessList", (20,)),
                [_bytes(slot, "accessList", (32,)) for slot in entry["storageKeys"]],
            ]
            for entry in entries
        ]
    except (KeyError, TypeError):
        raise ExecutionError(
            "accessList must hold objects with address and storageKeys", field="accessList"
        ) from None
