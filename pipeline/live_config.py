"""What the live loop is told and what it gives back. Frozen; crosses process borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analysis.records import Calibration, Series, SettledBid
from chain.blocks import Address
from core.reasons import Reason
from execution.risk.checks import RiskLimits
from market.pools.spec import PoolSpec
from market.tokens import Token
from models.bidding import EXPLORATION
from pipeline.live_findings import FeatureFindings, LearningFindings

KEYSTORE_PASSWORD_VARIABLE = "OMNIARB_KEYSTORE_PASSWORD"


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Where to follow, with which contract, keys and limits.

    Parameters
    ----------
    http_url, ws_url
        The node.
    relay_urls
        Every relay a bundle is sent to.
    executor
        Our executor contract.
    wrapped_native
        Token profits are taken in.
    vault
        Balancer V2 Vault that lends.
    tokens, specs
        The market to follow.
    wallet_keystore, flashbots_keystore
        Encrypted keys; the password comes from ``OMNIARB_KEYSTORE_PASSWORD``.
    journal_url
        Database of the execution journal.
    blocks
        Stop after this many followed blocks.
    seed
        For exploration of bids.
    limits
        Limits of the risk chain.
    exploration
        Share of bids that are tries, so that other policies can be judged from what became of them.
    chain_id
        Signed into every transaction.
    block_time
        Seconds between blocks.
    agent
        Name under which the loop registers with and answers a local chain; empty elsewhere.
    max_hops
        Longest cycle.
    window
        Rows that go with a question for a forecast.
    multicall
        Contract that answers many calls at once; empty for a chain without one.
    node_timeout_s, relay_timeout_s
        Seconds the node or a relay may take to answer.
    features, run
        Folder of the store that feature rows are logged to, ``None`` for none, and the run's name in it.
    learner
        Folder with the models that go on learning beside the champion; ``None`` for none.
    redis_url
        Redis that gets the last feature rows, too; ``None`` for none.
    """

    http_url: str
    ws_url: str
    relay_urls: tuple[str, ...]
    executor: Address
    wrapped_native: Address
    vault: Address
    tokens: tuple[Token, ...]
    specs: tuple[PoolSpec, ...]
    wallet_keystore: Path
    flashbots_keystore: Path
    journal_url: str
    blocks: int
    seed: int
    limits: RiskLimits
    exploration: float = EXPLORATION
    chain_id: int = 1
    block_time: int = 12
    agent: str = ""
    max_hops: int = 3
    window: int = 16
    multicall: Address = ""
    node_timeout_s: float = 10.0
    relay_timeout_s: float = 5.0
    features: Path | None = None
    run: str = "live"
    learner: Path | None = None
    redis_url: str | None = None


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Everything a run of the live loop counted.

    Parameters
    ----------
    first_block, last_block
        Heights followed, inclusive.
    opportunities
        Profitable cycles before cost; one that stays open counts in every block.
    bundles_sent
        Bundles that at least one relay took.
    bids
        Settlement of each bundle beside what was at stake.
    refusals
        How often each reason stopped an opportunity.
    balance_before, balance_after
        Wei of native and wrapped native held by owner and executor.
    latencies_us
        Microseconds from a complete block to signed bytes, one per bundle; of a long run the last ones.
    stages_us
        The same by stage: score, decide, simulate, sign.
    prices, gaps
        For the report.
    forecasts
        Base-fee forecasts that met their truth; of a long run the last ones, and the coverage of all.
    feed
        Counters of the feed (reconnects, backfills, late logs).
    pools_compared
        Comparisons of one pool's state with the chain's.
    pools_suspended
        How often a pool was taken out of the market, by reason.
    features, learning
        What became of feature rows, and of the models that went on learning.
    """

    first_block: int
    last_block: int
    opportunities: int
    bundles_sent: int
    bids: tuple[SettledBid, ...]
    refusals: Mapping[Reason, int]
    balance_before: int
    balance_after: int
    latencies_us: tuple[float, ...]
    stages_us: Mapping[str, tuple[float, ...]]
    prices: Mapping[str, tuple[Series, ...]]
    gaps: tuple[Series, ...]
    forecasts: Calibration | None
    feed: Mapping[str, int] = field(default_factory=dict)
    pools_compared: int = 0
    pools_suspended: Mapping[Reason, int] = field(default_factory=dict)
    features: FeatureFindings = field(default_factory=FeatureFindings)
    learning: LearningFindings = field(default_factory=LearningFindings)
