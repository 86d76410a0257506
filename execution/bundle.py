"""Bundles: signed transactions that land together in one block, in order, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_utils.crypto import keccak

from core.errors import InputError
from core.reasons import Reason
from core.seams import Ids
from execution.command import Bundle

MAX_TRANSACTIONS = 100
MAX_BYTES = 300_000


def make_bundle(ids: Ids, decision_id: str, transactions: Sequence[bytes], target_block: int) -> Bundle:
    r"""Put signed transactions into a bundle for one block.

    Parameters
    ----------
    ids
        Source of the bundle's id.
    decision_id
        Decision that the bundle carries out.
    transactions
        Signed raw transactions in the order in which they must run.
    target_block
        The one block it is valid for.

    Raises
    ------
    InputError
        If relays would not take it: empty, too many transactions or too many bytes;
        ``fields['reason']`` is ``BUNDLE_MALFORMED``.

    Examples
    --------
    >>> bundle = make_bundle(Ids(), "decision-000001", [b"\x02one", b"\x02two"], 7)
    >>> bundle.bundle_id, len(bundle.transaction_hashes), bundle.bundle_hash.hex()[:8]
    ('bundle-000001', 2, 'fdb4335b')
    """
    check_limits(transactions)
    hashes = tuple(keccak(raw) for raw in transactions)
    return Bundle(
        bundle_id=ids.next("bundle"),
        decision_id=decision_id,
        raw_transactions=tuple(transactions),
        transaction_hashes=hashes,
        bundle_hash=hash_of_bundle(hashes),
        target_block=target_block,
    )


def check_limits(transactions: Sequence[bytes]) -> None:
    """Refuse what no relay takes.

    Raises
    ------
    InputError
        With ``fields['reason']`` ``BUNDLE_MALFORMED``.
    """
    size = sum(len(raw) for raw in transactions)
    if not transactions or not all(transactions):
        problem = "a bundle needs at least one transaction and no empty one; sign before bundling"
    elif len(transactions) > MAX_TRANSACTIONS:
        problem = f"{len(transactions)} transactions, relays take {MAX_TRANSACTIONS}; split the bundle"
    elif size > MAX_BYTES:
        problem = f"{size} bytes of transactions, relays take {MAX_BYTES}; shorten the calldata"
    else:
        return
    raise InputError(problem, reason=Reason.BUNDLE_MALFORMED, transactions=len(transactions), bytes=size)


def hash_of_bundle(transaction_hashes: Sequence[bytes]) -> bytes:
    """Return the hash by which relays name a bundle: keccak of its transaction hashes.

    Examples
    --------
    >>> hash_of_bundle([bytes(32)]).hex()[:16]
    '290decd9548b62a8'
    """
    return keccak(b"".join(transaction_hashes))


def to_params(bundle: Bundle, replacement_uuid: str | None = None) -> dict[str, Any]:
    r"""Return the parameter object of ``eth_sendBundle``.

    Parameters
    ----------
    bundle
        What to send.
    replacement_uuid
        Name under which a later bundle may replace or cancel this one.

    Examples
    --------
    >>> to_params(make_bundle(Ids(), "decision-000001", [b"\x02"], 16))
    {'txs': ['0x02'], 'blockNumber': '0x10'}
    """
    params: dict[str, Any] = {
        "txs": ["0x" + raw.hex() for raw in bundle.raw_transactions],
        "blockNumber": hex(bundle.target_block),
    }
    if replacement_uuid is not None:
        params["replacementUuid"] = replacement_uuid
    return params
