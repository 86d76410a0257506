"""Tables of the execution journal, and the way between records and rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
)

from core.reasons import Reason
from execution.command import Bundle, Decision, Plan, Settlement, Verdict
from scoring.opportunity import Certificate, Hop, Opportunity

METADATA = MetaData()

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", String(64), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("target_block", BigInteger, nullable=False),
    Column("gas_estimate", BigInteger, nullable=False),
    Column("gas_cost_wei", Text, nullable=False),
    Column("bid_wei", Text, nullable=False),
    Column("gross_profit_wei", Text, nullable=False),
    Column("win_probability", Float, nullable=False),
    Column("expected_net_wei", Float, nullable=False),
    Column("opportunity", Text, nullable=False),
    Column("verdicts", Text, nullable=False),
)

PLANS = Table(
    "plans",
    METADATA,
    Column("decision_id", String(64), ForeignKey("decisions.decision_id"), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("executor", String(42), nullable=False),
    Column("calldata", Text, nullable=False),
    Column("funding", String(32), nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    Column("max_fee_per_gas_wei", Text, nullable=False),
    Column("target_block", BigInteger, nullable=False),
    Column("min_profit_wei", Text, nullable=False),
    Column("bid_wei", Text, nullable=False),
)

BUNDLES = Table(
    "bundles",
    METADATA,
    Column("bundle_id", String(64), primary_key=True),
    Column("decision_id", String(64), ForeignKey("decisions.decision_id"), nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("target_block", BigInteger, nullable=False),
    Column("bundle_hash", String(64), nullable=False),
    Column("raw_transactions", Text, nullable=False),
    Column("transaction_hashes", Text, nullable=False),
    Index("bundles_by_hash", "bundle_hash"),
)

SETTLEMENTS = Table(
    "settlements",
    METADATA,
    Column("bundle_id", String(64), ForeignKey("bundles.bundle_id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("decision_id", String(64), nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("profit_wei", Text, nullable=False),
    Column("gas_used", BigInteger, nullable=False),
    Column("gas_cost_wei", Text, nullable=False),
    Column("bid_wei", Text, nullable=False),
    Column("winning_bid_wei", Text),
    # a journal from before these were kept gets the columns when it is opened, empty for its past
    Column("rival_payment_wei", Text),
    Column("rival_gas", BigInteger),
)

# a settlement that a reorganisation took back; the next one of its bundle is the next revision
REOPENINGS = Table(
    "reopenings",
    METADATA,
    Column("bundle_id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("from_block", BigInteger, nullable=False),
    ForeignKeyConstraint(["bundle_id", "revision"], ["settlements.bundle_id", "settlements.revision"]),
)


Values = dict[str, Any]


def write_decision(decision: Decision) -> Values:
    """Return the columns of a decision."""
    return {
        "decision_id": decision.decision_id,
        "target_block": decision.target_block,
        "gas_estimate": decision.gas_estimate,
        "gas_cost_wei": str(decision.gas_cost),
        "bid_wei": str(decision.bid),
        "gross_profit_wei": str(decision.opportunity.gross_profit),
        "win_probability": decision.win_probability,
        "expected_net_wei": decision.expected_net,
        "opportunity": _dump(asdict(decision.opportunity)),
        "verdicts": _dump([asdict(verdict) for verdict in decision.verdicts]),
    }


def write_plan(plan: Plan) -> Values:
    """Return the columns of a plan."""
    return {
        "decision_id": plan.decision_id,
        "executor": plan.executor,
        "calldata": plan.calldata.hex(),
        "funding": plan.funding.value,
        "gas_limit": plan.gas_limit,
        "max_fee_per_gas_wei": str(plan.max_fee_per_gas),
        "target_block": plan.target_block,
        "min_profit_wei": str(plan.min_profit),
        "bid_wei": str(plan.bid),
    }


def write_bundle(bundle: Bundle) -> Values:
    """Return the columns of a bundle."""
    return {
        "bundle_id": bundle.bundle_id,
        "decision_id": bundle.decision_id,
        "target_block": bundle.target_block,
        "bundle_hash": bundle.bundle_hash.hex(),
        "raw_transactions": json.dumps([raw.hex() for raw in bundle.raw_transactions]),
        "transaction_hashes": json.dumps([hashed.hex() for hashed in bundle.transaction_hashes]),
    }


def write_settlement(settlement: Settlement) -> Values:
    """Return the columns of a settlement."""
    return {
        "bundle_id": settlement.bundle_id,
        "decision_id": settlement.decision_id,
        "verdict": settlement.verdict.value,
        "detail": settlement.detail,
        "block_number": settlement.block_number,
        "profit_wei": str(settlement.profit),
        "gas_used": settlement.gas_used,
        "gas_cost_wei": str(settlement.gas_cost),
        "bid_wei": str(settlement.bid),
        "winning_bid_wei": _written(settlement.winning_bid),
        "rival_payment_wei": _written(settlement.rival_payment),
        "rival_gas": settlement.rival_gas,
    }


def _written(wei: int | None) -> str | None:
    return None if wei is None else str(wei)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _dump(value: Any) -> str:
    """Return JSON in which integers are strings, so that no reader rounds them."""
    return json.dumps(_stringed(value))


def _stringed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stringed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_stringed(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def read_bundle(row: Row[Any]) -> Bundle:
    """Return the bundle of a row."""
    return Bundle(
        bundle_id=row.bundle_id,
        decision_id=row.decision_id,
        raw_transactions=tuple(bytes.fromhex(raw) for raw in json.loads(row.raw_transactions)),
        transaction_hashes=tuple(bytes.fromhex(hashed) for hashed in json.loads(row.transaction_hashes)),
        bundle_hash=bytes.fromhex(row.bundle_hash),
        target_block=row.target_block,
    )


def read_decision(row: Row[Any]) -> Decision:
    """Return the decision of a row."""
    return Decision(
        decision_id=row.decision_id,
        opportunity=_read_opportunity(json.loads(row.opportunity)),
        target_block=row.target_block,
        gas_estimate=row.gas_estimate,
        gas_cost=int(row.gas_cost_wei),
        bid=int(row.bid_wei),
        win_probability=row.win_probability,
        expected_net=row.expected_net_wei,
        verdicts=tuple(_read_verdict(verdict) for verdict in json.loads(row.verdicts)),
    )


def _read_opportunity(stored: dict[str, Any]) -> Opportunity:
    return Opportunity(
        cycle_id=stored["cycle_id"],
        token=stored["token"],
        hops=tuple(_read_hop(hop) for hop in stored["hops"]),
        amount_in=int(stored["amount_in"]),
        amount_out=int(stored["amount_out"]),
        gross_profit=int(stored["gross_profit"]),
        certificate=Certificate(**{name: int(value) for name, value in stored["certificate"].items()}),
        state_block=int(stored["state_block"]),
        found_at_ns=int(stored["found_at_ns"]),
    )


def _read_hop(stored: dict[str, str]) -> Hop:
    return Hop(
        stored["pool_id"],
        stored["token_in"],
        stored["token_out"],
        int(stored["amount_in"]),
        int(stored["amount_out"]),
    )


def _read_verdict(stored: dict[str, Any]) -> Verdict:
    reason = stored["reason"]
    return Verdict(stored["check"], stored["ok"], reason and Reason(reason), stored["detail"])


def read_settlement(row: Row[Any]) -> Settlement:
    """Return the settlement of a row."""
    return Settlement(
        bundle_id=row.bundle_id,
        decision_id=row.decision_id,
        verdict=Reason(row.verdict),
        detail=row.detail,
        block_number=row.block_number,
        profit=int(row.profit_wei),
        gas_used=row.gas_used,
        gas_cost=int(row.gas_cost_wei),
        bid=int(row.bid_wei),
        winning_bid=_number(row.winning_bid_wei),
        rival_payment=_number(row.rival_payment_wei),
        rival_gas=None if row.rival_gas is None else int(row.rival_gas),
    )
