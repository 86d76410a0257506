"""Reason codes: why something was refused, skipped or replaced by a fallback.

A refusal is a value. The same code appears in the CLI, the API, the logs and the
metrics, so one word leads from a number on a screen to the line that decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason code of the project, by the room that gives it."""

    # pipeline
    NO_DATA_ROOT = "no_data_root"
    STEP_NOT_ASKED = "step_not_asked"
    # market
    ZERO_LIQUIDITY = "zero_liquidity"
    UNKNOWN_POOL = "unknown_pool"
    UNKNOWN_TICKS = "unknown_ticks"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    NOT_CHECKABLE = "not_checkable"
    # scoring
    RATE_BELOW_ONE = "rate_below_one"
    DUST_PROFIT = "dust_profit"
    PROFIT_TOKEN_NOT_NATIVE = "profit_token_not_native"
    # features and models
    WARMING_UP = "warming_up"
    FEATURE_MISSING = "feature_missing"
    LABEL_NOT_KNOWN_YET = "label_not_known_yet"
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
    POOL_ALREADY_USED = "pool_already_used"
    # flash funding
    VAULT_LOCKED_BY_ROUTE = "vault_locked_by_route"
    NO_FLASH_LIQUIDITY = "no_flash_liquidity"
    # simulation
    SIMULATION_REVERTED = "simulation_reverted"
    SIMULATORS_DISAGREE = "simulators_disagree"
    QUOTE_DIFFERS = "quote_differs"
    # live
    NODE_UNREACHABLE = "node_unreachable"
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
