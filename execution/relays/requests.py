"""Read relay requests: anything that is not exactly what a method takes is refused with words."""

from __future__ import annotations

from typing import Any

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason
from execution.bundle import check_limits, hash_of_bundle
from execution.relays.auction import PendingBundle
from execution.relays.transactions import SignedTransaction, decode_transaction

PRIVATE_BLOCKS = 25
"""How long a private transaction is kept trying unless it says otherwise, in blocks."""


def read_bundle(params: Any, *, signer: Address, chain_id: int) -> PendingBundle:
    """Read the parameters of ``eth_sendBundle`` and ``eth_callBundle``.

    Raises
    ------
    InputError
        With ``fields['reason']`` ``BUNDLE_MALFORMED``.
    """
    fields = one_object(params)
    transactions = tuple(decode_transaction(raw, chain_id) for raw in _raw_transactions(fields))
    hashes = [transaction.hash for transaction in transactions]
    block = read_quantity(fields, "blockNumber")
    return PendingBundle(
        bundle_hash=hash_of_bundle(hashes),
        transactions=transactions,
        first_block=block,
        last_block=block,
        signer=signer,
        reverting=frozenset(_hashes(fields, "revertingTxHashes")),
        min_timestamp=_optional_number(fields, "minTimestamp"),
        max_timestamp=_optional_number(fields, "maxTimestamp"),
        replacement_uuid=_optional_text(fields, "replacementUuid"),
    )


def read_private(params: Any, *, head: int, signer: Address, chain_id: int) -> PendingBundle:
    """Read ``eth_sendPrivateTransaction`` as a bundle of one that may wait some blocks.

    Parameters
    ----------
    head
        Height of the latest block.

    Raises
    ------
    InputError
        With ``fields['reason']`` ``BUNDLE_MALFORMED``.
    """
    fields = one_object(params)
    transaction = decode_transaction(_hex(fields.get("tx"), "tx"), chain_id)
    given = fields.get("maxBlockNumber") is not None
    return PendingBundle(
        bundle_hash=hash_of_bundle([transaction.hash]),
        transactions=(transaction,),
        first_block=head + 1,
        last_block=read_quantity(fields, "maxBlockNumber") if given else head + PRIVATE_BLOCKS,
        signer=signer,
    )


def read_public(params: Any, *, chain_id: int) -> SignedTransaction:
    """Read the parameters of ``eth_sendRawTransaction``.

    Raises
    ------
    InputError
        With ``fields['reason']`` ``BUNDLE_MALFORMED``.
    """
    if not isinstance(params, list) or len(params) != 1:
        raise malformed("params must hold one signed transaction as hex")
    return decode_transaction(_hex(params[0], "the transaction"), chain_id)


def read_uuid(params: Any) -> str:
    """Read the parameters of ``eth_cancelBundle``.

    Raises
    ------
    InputError
        With ``fields['reason']`` ``BUNDLE_MALFORMED``.
    """
    name = _optional_text(one_object(params), "replacementUuid")
    if name is None:
        raise malformed("replacementUuid is missing; name the bundle to cancel")
    return name


def one_object(params: Any) -> dict[str, Any]:
    """Return the single object that most relay methods take.

    Raises
    ------
    InputError
        If ``params`` is anything else.
    """
    if not isinstance(params, list) or len(params) != 1 or not isinstance(params[0], dict):
        raise malformed("params must be a list with one object")
    return params[0]


def read_quantity(fields: dict[str, Any], name: str) -> int:
    """Return a block number; clients write it as hex or as a JSON number.

    Raises
    ------
    InputError
        If it is neither.
    """
    value = fields.get(name)
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    elif type(value) is int and value >= 0:
        return value
    raise malformed(f"{name} must be a hex quantity such as 0x10, not {str(value)[:80]!r}")


def malformed(problem: str) -> InputError:
    """Return the error for a request that cannot be read."""
    return InputError(problem, reason=Reason.BUNDLE_MALFORMED)


def _raw_transactions(fields: dict[str, Any]) -> list[bytes]:
    texts = fields.get("txs")
    if not isinstance(texts, list):
        raise malformed("txs must be a list of signed transactions as hex")
    transactions = [_hex(text, "a transaction") for text in texts]
    check_limits(transactions)
    return transactions


def _hashes(fields: dict[str, Any], name: str) -> list[bytes]:
    texts = fields.get(name) or []
    if not isinstance(texts, list):
        raise malformed(f"{name} must be a list of hashes")
    return [_hex(text, name) for text in texts]


def _hex(value: Any, name: str) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise malformed(f"{name} must be hex with 0x, not {str(value)[:80]!r}")


def _optional_number(fields: dict[str, Any], name: str) -> int | None:
    return read_quantity(fields, name) if fields.get(name) is not None else None


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed(f"{name} must be text")
    return value
