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
    NOT_VERIFIED = "not_verified"
    MALFORMED_ENTRY = "malformed_entry"
    DUPLICATE_ID = "duplicate_id"
    CONTRADICTORY_DECIMALS = "contradictory_decimals"
    PRECISION_LOST = "precision_lost"
    LIQUIDITY_SUM_DIFFERS = "liquidity_sum_differs"
    IMPOSSIBLE_STATE = "impossible_state"
    ONE_SIDED = "one_sided"
    OUTPUT_EXCEEDS_HOLDINGS = "output_exceeds_holdings"
    DUST_POOL = "dust_pool"
    PRICE_UNKNOWN = "price_unknown"
    PRICE_IMPLAUSIBLE = "price_implausible"
    POOL_ADDRESS_MISMATCH = "pool_address_mismatch"
    FAMILY_NOT_SUPPORTED = "family_not_supported"
    TOKEN_UNUSABLE = "token_unusable"
    NO_HUB_TOKEN = "no_hub_token"
    POOL_UNREADABLE = "pool_unreadable"
    NO_CONTRACT = "no_contract"
    DEPLOYMENT_UNKNOWN = "deployment_unknown"
    STATE_LEFT_OPEN = "state_left_open"
    EVENT_CONTRADICTS_STATE = "event_contradicts_state"
    POOL_QUARANTINED = "pool_quarantined"
    STATE_DIFFERS = "state_differs"
    MISSED_LOG = "missed_log"
    UNHANDLED_REORG = "unhandled_reorg"
    CHANGED_WITHOUT_EVENT = "changed_without_event"
    LATE_DELIVERY = "late_delivery"
    # prices
    PRICE_STALE = "price_stale"
    PRICE_NOT_POSITIVE = "price_not_positive"
    PRICE_ROUND_INCOMPLETE = "price_round_incomplete"
    PRICE_FROM_FUTURE = "price_from_future"
    PRICE_DECIMALS_UNKNOWN = "price_decimals_unknown"
    PRICE_UNREADABLE = "price_unreadable"
    TWAP_TOO_SHORT = "twap_too_short"
    TWAP_LIQUIDITY_LOW = "twap_liquidity_low"
    SPOT_PRICE = "spot_price"
    PRICES_DISAGREE = "prices_disagree"
    TOKEN_NOT_PRICED = "token_not_priced"
    # scoring
    RATE_BELOW_ONE = "rate_below_one"
    DUST_PROFIT = "dust_profit"
    NOT_AMONG_BEST = "not_among_best"
    CONTRIBUTION_BELOW_COST = "contribution_below_cost"
    EXPECTATION_NOT_POSITIVE = "expectation_not_positive"
    GAP_IMPLAUSIBLE = "gap_implausible"
    CUPY_MISSING = "cupy_missing"
    NO_GPU = "no_gpu"
    GPU_MEMORY_FULL = "gpu_memory_full"
    # features and models
    WARMING_UP = "warming_up"
    FEATURE_MISSING = "feature_missing"
    SKILL_NOT_POSITIVE = "skill_not_positive"
    NO_CHAMPION = "no_champion"
    MODEL_UNUSABLE = "model_unusable"
    ERROR_DRIFT = "error_drift"
    FEATURE_NOT_FINITE = "feature_not_finite"
    FEATURE_OUT_OF_RANGE = "feature_out_of_range"
    FEATURE_SET_DIFFERS = "feature_set_differs"
    FEATURE_DRIFT = "feature_drift"
    FEATURE_SKEW = "feature_skew"
    ONLINE_STORE_FAILED = "online_store_failed"
    LABEL_MISSING = "label_missing"
    ROW_DAMAGED = "row_damaged"
    TIME_WENT_BACK = "time_went_back"
    TIME_RAN_AHEAD = "time_ran_ahead"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    NO_OVERLAP = "no_overlap"
    FEW_EFFECTIVE_ROWS = "few_effective_rows"
    SCHEMA_DIFFERS = "schema_differs"
    TARGET_DIFFERS = "target_differs"
    TOO_FEW_FORECASTS = "too_few_forecasts"
    COVERAGE_TOO_LOW = "coverage_too_low"
    NOT_PROVEN_BETTER = "not_proven_better"
    AWAITING_GATE = "awaiting_gate"
    GATE_FAILED = "gate_failed"
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
    NO_MULTICALL = "no_multicall"
    NODE_BEHIND = "node_behind"
    NODE_TIMED_OUT = "node_timed_out"
    NODE_BUSY = "node_busy"
    NODE_WRONG_CHAIN = "node_wrong_chain"
    NODE_LACKS_BLOCK = "node_lacks_block"
    # feeds of what is not in a block yet
    FLASHBLOCK_MISSING = "flashblock_missing"
    FLASHBLOCK_DUPLICATE = "flashblock_duplicate"
    SEQUENCE_GAP = "sequence_gap"
    SEQUENCE_DUPLICATE = "sequence_duplicate"
    MESSAGE_CORRUPT = "message_corrupt"
    # logs as nodes send them
    DUPLICATE_LOG = "duplicate_log"
    REORDERED_LOG = "reordered_log"
    CONTRADICTORY_LOG = "contradictory_log"
    FOREIGN_LOG = "foreign_log"
    CORRUPT_LOG = "corrupt_log"
    LATE_LOG = "late_log"
    BLOCK_REPLACED = "block_replaced"
    # pending transactions
    PENDING_REPLACED = "pending_replaced"
    PENDING_INCLUDED = "pending_included"
    PENDING_EXPIRED = "pending_expired"
    PENDING_EVICTED = "pending_evicted"
    PENDING_UNKNOWN_TARGET = "pending_unknown_target"
    PENDING_UNKNOWN_CALL = "pending_unknown_call"
    PENDING_UNDECODABLE = "pending_undecodable"
    PENDING_UNKNOWN_POOL = "pending_unknown_pool"
    PENDING_SLIPPAGE = "pending_slippage"
    PENDING_EXACT_OUT = "pending_exact_out"
    PENDING_DIFFERS = "pending_differs"
    PENDING_REVERTS = "pending_reverts"
    PENDING_UNJUDGED = "pending_unjudged"
    # tokens
    FEE_ON_TRANSFER = "fee_on_transfer"
    HONEYPOT = "honeypot"
    CANNOT_BUY = "cannot_buy"
    TRANSFER_BLOCKED = "transfer_blocked"
    BLACKLISTED = "blacklisted"
    REBASING = "rebasing"
    PROBE_IMPOSSIBLE = "probe_impossible"
    OVERRIDES_NOT_SUPPORTED = "overrides_not_supported"
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
