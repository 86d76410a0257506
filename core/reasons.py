"""Reason codes: why something was refused, skipped or replaced by a fallback.

A refusal is a value. The same code appears in the CLI, the API, the journal and the
logs, so one word leads from a number on a screen to the line that decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason code of the project, by the room that gives it."""

    # pipeline
    NO_DATA_ROOT = "no_data_root"
    # market
    ZERO_LIQUIDITY = "zero_liquidity"
    UNKNOWN_TICKS = "unknown_ticks"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    CURVE_UNSOLVED = "curve_unsolved"
    HOOKS_NOT_SUPPORTED = "hooks_not_supported"
    DYNAMIC_FEE_NOT_SUPPORTED = "dynamic_fee_not_supported"
    SHARE_NOT_SUPPORTED = "share_not_supported"
    NOT_CHECKABLE = "not_checkable"
    STATE_LEFT_OPEN = "state_left_open"
    EVENT_CONTRADICTS_STATE = "event_contradicts_state"
    POOL_QUARANTINED = "pool_quarantined"
    MISSED_LOG = "missed_log"
    UNHANDLED_REORG = "unhandled_reorg"
    CHANGED_WITHOUT_EVENT = "changed_without_event"
    LATE_DELIVERY = "late_delivery"
    UNREADABLE = "unreadable"
    # scoring
    RATE_BELOW_ONE = "rate_below_one"
    DUST_PROFIT = "dust_profit"
    # features and models
    WARMING_UP = "warming_up"
    FEATURE_MISSING = "feature_missing"
    SKILL_NOT_POSITIVE = "skill_not_positive"
    NO_CHAMPION = "no_champion"
    MODEL_UNUSABLE = "model_unusable"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    # risk
    PROFIT_BELOW_COST = "profit_below_cost"
    SLIPPAGE_TOO_LARGE = "slippage_too_large"
    STATE_STALE = "state_stale"
    KILL_SWITCH = "kill_switch"
    PAUSED = "paused"
    # flash funding
    VAULT_LOCKED_BY_ROUTE = "vault_locked_by_route"
    POOL_LOCKED_BY_ROUTE = "pool_locked_by_route"
    NO_FLASH_LIQUIDITY = "no_flash_liquidity"
    # simulation
    SIMULATION_REVERTED = "simulation_reverted"
    SIMULATORS_DISAGREE = "simulators_disagree"
    QUOTE_DIFFERS = "quote_differs"
    # live
    NODE_UNREACHABLE = "node_unreachable"
    NODE_REFUSED = "node_refused"
    NODE_BEHIND = "node_behind"
    # logs as nodes send them
    DUPLICATE_LOG = "duplicate_log"
    REORDERED_LOG = "reordered_log"
    CONTRADICTORY_LOG = "contradictory_log"
    FOREIGN_LOG = "foreign_log"
    CORRUPT_LOG = "corrupt_log"
    LATE_LOG = "late_log"
    # relay and builder
    RELAYS_REFUSED = "relays_refused"
    BAD_SIGNATURE = "bad_signature"
    BLOCK_PASSED = "block_passed"
    BUNDLE_REVERTS = "bundle_reverts"
    BUNDLE_MALFORMED = "bundle_malformed"
    BELOW_BASE_FEE = "below_base_fee"
    BAD_NONCE = "bad_nonce"
    NO_FUNDS = "no_funds"
    BLOCK_FULL = "block_full"
    # serving
    NO_EXECUTOR = "no_executor"
    BUSY = "busy"
    # settlement
    LANDED = "landed"
    OUTBID = "outbid"
    STATE_MOVED = "state_moved"
    REVERTED = "reverted"
    LATE = "late"
    NEVER_SIMULATED = "never_simulated"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done.

    Parameters
    ----------
    reason
        The code.
    detail
        One sentence with the numbers that decided it.

    Examples
    --------
    >>> str(Refusal(Reason.STATE_STALE, "state is 3 blocks old, limit 1"))
    'state_stale: state is 3 blocks old, limit 1'
    """

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"
