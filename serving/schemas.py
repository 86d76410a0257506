"""Bodies of the HTTP interface, checked before anything else sees them.

Amounts in raw token units go over the wire as decimal strings: a JSON number in a browser
holds 53 bits, a balance needs up to 256.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ROWS_AT_MOST = 4096
POOLS_AT_MOST = 64

HexAddress = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
PoolId = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{40}|[0-9a-f]{64})$")]
Amount = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,77})$")]
SignedAmount = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,77})$")]
Height = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Body(BaseModel):
    """A request or answer: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ForecastRequest(Body):
    """Rows of features to forecast from, oldest first; the last one is the block it is issued on."""

    features: list[str] = Field(min_length=1, max_length=512, description="Column names, any order")
    rows: list[list[Finite]] = Field(min_length=1, max_length=ROWS_AT_MOST)
    issued_block: Height
    blocks: list[Height] | None = Field(
        None, max_length=ROWS_AT_MOST, description="Height of each row; consecutive ones if left out"
    )


class ForecastAnswer(Body):
    """One forecast with its interval, and a baseline's beside it."""

    target: str
    issued_block: int
    about_block: int
    value: float
    lower: float
    upper: float
    nominal: float
    model: str
    model_version: str
    state_block: int
    baseline: str
    baseline_value: float | None = Field(description="null if the baseline is not one that rows alone give")


class TokenBody(Body):
    """A token."""

    address: HexAddress
    symbol: str = Field(min_length=1, max_length=32)
    decimals: int = Field(ge=0, le=36)


class PoolBody(Body):
    """A pool with its state; which state fields are needed depends on the family."""

    family: Literal["uniswap_v2", "uniswap_v3", "weighted"]
    pool_id: PoolId
    address: HexAddress
    tokens: list[HexAddress] = Field(min_length=2, max_length=8)
    fee: int = Field(ge=0, lt=1_000_000, description="Parts per million of the input")
    venue: str = ""
    balances: list[Amount] | None = Field(
        None, description="uniswap_v2 and weighted: reserves in token order"
    )
    weights: list[Amount] | None = Field(None, description="weighted: 1e18 fixed point, in token order")
    tick_spacing: int | None = Field(None, ge=1, le=32767)
    sqrt_price_x96: Amount | None = None
    tick: int | None = Field(None, ge=-887272, le=887272)
    liquidity: Amount | None = None
    ticks: dict[int, SignedAmount] | None = Field(None, description="uniswap_v3: tick to net liquidity, all")


class MarketSnapshot(Body):
    """Pools at the end of one block."""

    block_number: int = Field(ge=0)
    start_token: HexAddress = Field(description="Token to profit in")
    tokens: list[TokenBody] = Field(min_length=2, max_length=POOLS_AT_MOST)
    pools: list[PoolBody] = Field(min_length=1, max_length=POOLS_AT_MOST)


class HopBody(Body):
    """One swap of a cycle."""

    pool_id: str
    token_in: str
    token_out: str
    amount_in: Amount
    amount_out: Amount


class OpportunityBody(Body):
    """A sized cycle; ``upper_bound`` is what no input can exceed on this state."""

    cycle_id: str
    token: str
    hops: list[HopBody]
    amount_in: Amount
    amount_out: Amount
    gross_profit: SignedAmount
    upper_bound: SignedAmount
    state_block: int
    found_at_ns: int


class ScoreAnswer(Body):
    """Opportunities, best first, and how often each reason spoke against a cycle."""

    block_number: int
    opportunities: list[OpportunityBody]
    refusals: dict[str, int]


class ErrorBody(Body):
    """Every error: a code for machines, a reason code if there is one, a sentence for people."""

    code: str
    reason: str | None = None
    message: str
    fields: dict[str, Any] = Field(default_factory=dict)
