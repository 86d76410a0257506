"""Every error the project raises: one root, typed leaves that carry fields.

A leaf says what went wrong *and what to do*. The command line prints ``str(error)``
on one line and exits with ``exit_code``; the API returns ``code`` and ``fields``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OmniArbError(Exception):
    """Root of all errors of this project.

    Parameters
    ----------
    message
        One sentence for a person, with what to do next.
    **fields
        Machine-readable context, shown by logs and the API. Never put a secret here.

    Examples
    --------
    >>> error = OmniArbError("no such pool; list them with `omniarb run --json`", pool_id="0x1")
    >>> error.code, error.fields["pool_id"]
    ('OMNIARB_ERROR', '0x1')
    """

    code: ClassVar[str] = "OMNIARB_ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, /, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class InputError(OmniArbError):
    """Something the caller gave us is wrong; nothing was changed."""

    code = "BAD_INPUT"
    exit_code = 2


class ConfigError(InputError):
    """One or more settings are wrong; ``fields['problems']`` lists all of them."""

    code = "BAD_CONFIG"


class SecretError(InputError):
    """A key or keystore is missing, unreadable or used for two purposes."""

    code = "BAD_SECRET"


class TapeError(InputError):
    """A recorded row cannot be used; ``fields`` carry file, row and position."""

    code = "BAD_TAPE"


class MarketError(OmniArbError):
    """Market state or pool maths met something impossible."""

    code = "MARKET_ERROR"


class SwapRefused(MarketError):
    """The pool's contract would revert this swap; ``fields['reason']`` says why."""

    code = "SWAP_REFUSED"


class InvariantBroken(MarketError):
    """Recorded events contradict the pool's arithmetic."""

    code = "INVARIANT_BROKEN"


class RpcError(OmniArbError):
    """A node did not answer, or answered with an error."""

    code = "RPC_ERROR"


class FeedError(OmniArbError):
    """A block feed can not go on (gap that cannot be filled, dead node)."""

    code = "FEED_ERROR"


class DevnetError(OmniArbError):
    """The local chain could not be started or built."""

    code = "DEVNET_ERROR"


class ContractError(OmniArbError):
    """A contract artifact is missing, stale or does not match its source."""

    code = "CONTRACT_ERROR"


class SimulationError(OmniArbError):
    """A simulation could not be carried out (a revert is a result, not an error)."""

    code = "SIMULATION_ERROR"


class RelayError(OmniArbError):
    """A relay refused or did not answer; ``fields`` carry relay, code and message."""

    code = "RELAY_ERROR"


class ExecutionError(OmniArbError):
    """Planning, signing or journaling failed."""

    code = "EXECUTION_ERROR"


class ModelError(OmniArbError):
    """A model cannot be loaded, saved, trained or asked."""

    code = "MODEL_ERROR"


class ServingError(OmniArbError):
    """The serving application could not start or answer."""

    code = "SERVING_ERROR"
