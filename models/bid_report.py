"""Fixed shares against the learned bid on recorded auctions, and whether a log alone would have told.

On recorded auctions every share's outcome is known. So each policy's true result is known too, and a log of
drawn bids, from which all other outcomes are hidden, can be held against it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.reasons import Refusal
from core.seams import Randomness
from models.bid_distribution import BidDistribution, LogNormalBids
from models.bid_policy import SHARES_PPM, best_action, draw, explored
from models.bootstrap import block_length
from models.drawn_bid import MILLION
from models.intervals import Estimate, ratio_interval
from models.off_policy import BidLog, PolicyValue, policy_gain, policy_value
from models.recorded_auctions import Auctions, recorded_auctions
from models.survival import CountedBids

Floats = NDArray[np.float64]

SHARES: Floats = np.array(SHARES_PPM) / MILLION
FIXED_PPM = (500_000, 700_000, 800_000, 900_000, 950_000)

LEARNED = ("learned", "learned, log-normal", "learned, own outcomes")
"""Told the best competing bid afterwards; told, and fitting a log-normal; and from wins and losses alone."""

EXPLORATION = 0.05
"""Of the bidder who learns from its own auctions alone."""

LOG_EXPLORATION = 0.5
"""Of the bidder whose log is used for estimates: half of its bids are tries."""

_KEPT: Floats = 1 - SHARES
_EVERYWHERE = np.ones(len(SHARES), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class BidRow:
    """How one policy did on one kind of auction.

    Parameters
    ----------
    auctions, policy
        Names.
    judged
        Auctions.
    win_rate
        Share of auctions won.
    kept
        Share of the value kept an auction, with an interval.
    gain
        ``kept`` less what the fixed share keeps that is best in hindsight, on the same auctions.
    foresight
        What is kept by who knows the best competing bid: a bound for every policy.
    kept_from_log, gain_from_log
        ``kept`` and ``gain`` as estimated from a log of drawn bids, or why they cannot be.
    """

    auctions: str
    policy: str
    judged: int
    win_rate: float
    kept: Estimate
    gain: Estimate
    foresight: float
    kept_from_log: PolicyValue | Refusal
    gain_from_log: Estimate | Refusal

    @property
    def learned(self) -> bool:
        """Whether the share follows from a forecast; fixed otherwise."""
        return self.policy in LEARNED

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; a refusal as its reason and detail."""
        plain = asdict(self)
        for name in ("kept_from_log", "gain_from_log"):
            refused = getattr(self, name)
            if isinstance(refused, Refusal):
                plain[name] = {"reason": refused.reason.value, "detail": refused.detail}
        return plain


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """Auctions played by learning bidders, tables of ``float64[row, share]``.

    Parameters
    ----------
    reward
        What each share would have kept.
    forecast
        What it was expected to keep, before the outcome.
    told, fitted, alone
        Chances of each share: of a bidder who is told the best competing bid afterwards, of another one
        who fits a log-normal, and of one who learns from its own wins and losses.
    """

    reward: Floats
    forecast: Floats
    told: Floats
    fitted: Floats
    alone: Floats

    def since(self, row: int) -> Played:
        """Return the rows from a place on."""
        return Played(*(getattr(self, field.name)[row:] for field in fields(self)))


def bid_report(root: Path, randomness: Randomness | None = None) -> tuple[BidRow, ...]:
    """Judge policies on all recorded auctions.

    Parameters
    ----------
    root
        Folder of recorded history.
    randomness
        Draws values, logs and bootstraps; seed 1 if left out.

    Raises
    ------
    InputError
        If a recorded file is missing or not what it should be.
    """
    chosen = randomness or Randomness(1)
    return tuple(row for auctions in recorded_auctions(root, chosen) for row in judge(auctions, chosen))


def judge(auctions: Auctions, randomness: Randomness) -> tuple[BidRow, ...]:
    """Return one row per policy for one kind of auction: the learned ones, then fixed shares."""
    played = play(auctions, randomness)
    first = auctions.first_judged
    seen = played.since(first)
    best = int(np.argmax(seen.reward.mean(axis=0)))
    policies = {
        **dict(zip(LEARNED, (seen.told, seen.fitted, seen.alone), strict=True)),
        f"best fixed, {SHARES_PPM[best] // 10_000} %": always(best, len(seen.reward)),
        **{f"always {ppm // 10_000} %": always(SHARES_PPM.index(ppm), len(seen.reward)) for ppm in FIXED_PPM},
    }
    log = draw_log(seen.told, seen.reward, randomness.stream(f"log of {auctions.name}"))
    foresight = float(np.maximum(1 - auctions.rival / auctions.value, 0)[first:].mean())
    random = randomness.stream(f"intervals of {auctions.name}")
    return tuple(
        _row(auctions.name, name, chances, seen, best, log, foresight, random)
        for name, chances in policies.items()
    )


def play(auctions: Auctions, randomness: Randomness) -> Played:
    """Play all auctions in order; nothing is learned from one before a later moment has come."""
    told, fitted, alone = CountedBids(), LogNormalBids(), LogNormalBids()
    random = randomness.stream(f"own bids of {auctions.name}")
    ratios = np.log(np.outer(auctions.value / auctions.scale, SHARES))
    rivals = np.log(auctions.rival / auctions.scale)
    won = ratios > rivals[:, None]
    forecast, of_told, of_fitted, of_alone = (np.zeros(ratios.shape) for _ in range(4))
    actions = np.zeros(len(rivals), dtype=np.int64)
    learned = 0
    for row, moment in enumerate(auctions.moment):
        while auctions.moment[learned] < moment:
            told.learn_told(float(rivals[learned]))
            fitted.learn_told(float(rivals[learned]))
            own = actions[learned]
            learn = alone.learn_won if won[learned, own] else alone.learn_lost
            learn(float(ratios[learned, own]))
            learned += 1
        forecast[row] = told.chance_below(ratios[row]) * _KEPT
        of_told[row] = _chances(told, ratios[row], 0.0)
        of_fitted[row] = _chances(fitted, ratios[row], 0.0)
        of_alone[row] = _chances(alone, ratios[row], EXPLORATION)
        actions[row] = draw(of_alone[row], random)
    return Played(won * _KEPT, forecast, of_told, of_fitted, of_alone)


def draw_log(chances: Floats, reward: Floats, random: np.random.Generator) -> BidLog:
    """Return what a bidder who tries a lot would have logged: one share a row, and its outcome alone.

    Parameters
    ----------
    chances, reward
        ``float64[row, share]``: of the bidder when it does not try, and what each share would have kept.
    random
        Draws the bids.
    """
    count, shares = reward.shape
    propensities = LOG_EXPLORATION / shares + (1 - LOG_EXPLORATION) * chances
    action = np.array([draw(row, random) for row in propensities], dtype=np.int64)
    return BidLog(propensities, action, reward[np.arange(count), action])


def _chances(bids: BidDistribution, ratios: Floats, exploration: float) -> Floats:
    return explored(best_action(bids.chance_below(ratios), _KEPT), _EVERYWHERE, exploration)


def always(action: int, rows: int) -> Floats:
    """Return the policy that bids one share in every row."""
    chances = np.zeros((rows, len(SHARES)))
    chances[:, action] = 1.0
    return chances


def _row(
    auctions: str,
    policy: str,
    chances: Floats,
    played: Played,
    best: int,
    log: BidLog,
    foresight: float,
    random: np.random.Generator,
) -> BidRow:
    kept = (chances * played.reward).sum(axis=1)
    ones, length = np.ones(len(kept)), block_length(len(kept), 1)
    return BidRow(
        auctions=auctions,
        policy=policy,
        judged=len(kept),
        win_rate=float((chances * (played.reward > 0)).sum(axis=1).mean()),
        kept=ratio_interval(kept, ones, random, length=length),
        gain=ratio_interval(kept - played.reward[:, best], ones, random, length=length),
        foresight=foresight,
        kept_from_log=policy_value(log, chances, played.forecast, random, length=length),
        gain_from_log=policy_gain(
            log, chances, always(best, len(kept)), played.forecast, random, length=length
        ),
    )
