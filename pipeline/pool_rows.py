"""Tables of the store of pools, and the way between records and rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Row, String, Table, Text

from chain.blocks import Address
from core.reasons import Reason, Refusal
from market.pools.snapshot import spec_from_json, spec_to_json
from market.pools.spec import PoolSpec
from market.tokens import Token

METADATA = MetaData()

POOLS = Table(
    "pools",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("pool_id", String(66), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("family", String(32), nullable=False),
    Column("venue", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("judged_block", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(64)),
    Column("detail", Text, nullable=False),
    Index("pools_by_status", "chain", "status"),
)

# which pools hold a token is asked often, and a spec is text
POOL_TOKENS = Table(
    "pool_tokens",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("pool_id", String(66), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("token", String(42), nullable=False),
    Index("pools_by_token", "chain", "token"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("address", String(42), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("symbol", String(32)),
    Column("decimals", Integer),
    Column("reason", String(64)),
    Column("detail", Text, nullable=False),
)

# how far each source has been read; moves in the same transaction as the pools that it found
PROGRESS = Table(
    "discovery_progress",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("block_hash", String(64), nullable=False),
)

TokenFact = Token | Refusal
"""A token, or why it is of no use."""
Values = dict[str, Any]


class PoolStatus(StrEnum):
    """How far a pool has come: refused, or in quarantine until it has been verified."""

    REFUSED = "refused"
    QUARANTINED = "quarantined"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class StoredPool:
    """A pool as the store keeps it.

    Parameters
    ----------
    chain
        Name of the chain.
    spec
        What is fixed about it; a family of ``""`` was never learnt.
    status
        How far it has come.
    block, place
        Where it was announced: block and log index, or place in a registry's list.
    judged_block
        Block at which its liquidity and behaviour were last looked at.
    recorded_ns
        When that was recorded, nanoseconds since the epoch.
    refusal
        Why it is refused.
    """

    chain: str
    spec: PoolSpec
    status: PoolStatus
    block: int
    place: int
    judged_block: int
    recorded_ns: int
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source has been read.

    Parameters
    ----------
    first, next
        First block (or place in a list) that was read, and the first that was not; all between were.
    block_hash
        Of block ``next - 1``, so that another chain is noticed; empty for a list, and before any block.
    """

    first: int
    next: int
    block_hash: bytes = b""


def write_pool(pool: StoredPool) -> Values:
    """Return the columns of a pool."""
    return {
        "chain": pool.chain,
        "pool_id": pool.spec.pool_id,
        "recorded_ns": pool.recorded_ns,
        "family": pool.spec.family,
        "venue": pool.spec.venue,
        "spec": json.dumps(spec_to_json(pool.spec)),
        "block": pool.block,
        "place": pool.place,
        "judged_block": pool.judged_block,
        "status": pool.status.value,
        **_write_refusal(pool.refusal),
    }


def read_pool_row(row: Row[Any]) -> StoredPool:
    """Return the pool of a row."""
    return StoredPool(
        chain=row.chain,
        spec=spec_from_json(json.loads(row.spec)),
        status=PoolStatus(row.status),
        block=row.block,
        place=row.place,
        judged_block=row.judged_block,
        recorded_ns=row.recorded_ns,
        refusal=_read_refusal(row),
    )


def write_token(chain: str, address: Address, fact: TokenFact, recorded_ns: int) -> Values:
    """Return the columns of a token."""
    token = fact if isinstance(fact, Token) else None
    return {
        "chain": chain,
        "address": address,
        "recorded_ns": recorded_ns,
        "symbol": token and token.symbol,
        "decimals": None if token is None else token.decimals,
        **_write_refusal(None if isinstance(fact, Token) else fact),
    }


def read_token(row: Row[Any]) -> TokenFact:
    """Return the token of a row."""
    return _read_refusal(row) or Token(row.address, row.symbol, row.decimals)


def _write_refusal(refusal: Refusal | None) -> Values:
    if refusal is None:
        return {"reason": None, "detail": ""}
    return {"reason": refusal.reason.value, "detail": refusal.detail}


def _read_refusal(row: Row[Any]) -> Refusal | None:
    return None if row.reason is None else Refusal(Reason(row.reason), row.detail)
