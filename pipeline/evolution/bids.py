"""Search for a bid policy on recorded auctions, then judge the winner once on auctions no trial has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.reasons import Refusal
from core.seams import Randomness
from models.bid_policy import SHARES_PPM
from models.bid_report import always, draw_log
from models.bid_trials import BidSetting, BidTrial, draw_bid_settings, explore_bids, part_of
from models.bootstrap import block_length
from models.intervals import Estimate, ratio_interval
from models.off_policy import policy_gain
from models.recorded_auctions import Auctions, arbitrage_auctions, block_auctions
from pipeline.evolution.evolve import EvolveOptions
from pipeline.evolution.search import Observer, Space, Tried, run_trials

SHORT_LEARNED, SHORT_JUDGED = 1600, 800

AUCTIONS: Mapping[str, tuple[Callable[[Path, np.random.Generator], Auctions], str]] = {
    "bids": (block_auctions, "block auctions"),
    "bids_arbitrage": (arbitrage_auctions, "arbitrage auctions"),
}
"""By their names among targets: how they are read, and the stream that draws their values."""


@dataclass(frozen=True, slots=True, eq=False)
class BidWinner:
    """The best policy, judged on the auctions that were kept back.

    Parameters
    ----------
    tried
        The trial it comes from.
    judged
        Auctions it was judged on.
    fixed_ppm
        The fixed share that keeps most on them, in hindsight, in parts per million.
    kept, fixed_kept
        Share of the value kept an auction, of both.
    gain
        The difference, with a 95 % interval: exact on each auction, since recorded ones tell every outcome.
    gain_from_log
        The same, estimated from a log of drawn bids with every other outcome hidden; or why it cannot be.
    learned
        State of its forecast after the last auction.
    """

    tried: Tried
    judged: int
    fixed_ppm: int
    kept: Estimate
    fixed_kept: float
    gain: Estimate
    gain_from_log: Estimate | Refusal
    learned: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class EvolvedBids:
    """All trials, best first, and the winner."""

    tried: tuple[Tried, ...]
    winner: BidWinner


def read_auctions(root: Path, name: str, seed: int, *, short: bool) -> Auctions:
    """Return the recorded auctions that a search is about.

    Parameters
    ----------
    root
        Folder of recorded history.
    name
        One of :data:`AUCTIONS`.
    seed
        Draws the values of supposed bidders, as ``omniarb evaluate`` draws them.
    short
        Whether to use some 2,000 of them.

    Raises
    ------
    InputError
        If there are none of this name, or the file is missing or not what it should be.
    """
    if name not in AUCTIONS:
        raise InputError(f"there are no auctions called {name!r}; there are {', '.join(AUCTIONS)}")
    read, stream = AUCTIONS[name]
    auctions = read(root, Randomness(seed).stream(stream))
    if not short:
        return auctions
    start = max(auctions.first_judged - SHORT_LEARNED, 0)
    first = auctions.first_judged - start
    return part_of(auctions, start, auctions.first_judged + SHORT_JUDGED, first)


def evolve_bids(
    name: str,
    auctions: Auctions,
    options: EvolveOptions,
    *,
    folder: Path,
    observer: Observer,
    judging: Callable[[int], None] = lambda _chunks: None,
) -> EvolvedBids:
    """Search, let the winner bid on all learning auctions, and judge it on those kept back.

    Trials bid on the auctions before ``first_judged``: the first half to learn from, the second to be judged
    on. Ray must have been started. After population based training the winner's state goes on.

    Parameters
    ----------
    name
        What the auctions are called.
    auctions
        All of them.
    options
        How to search; ``workers`` and ``models`` are not read.
    folder, observer, judging
        As of :func:`pipeline.evolution.evolve.evolve`.

    Raises
    ------
    ModelError
        If there are too few auctions, or every trial failed.
    """
    first = auctions.first_judged
    space = Space(
        settings=draw_bid_settings(name, Randomness(options.seed), options.trials),
        begin=partial(_begin, part_of(auctions, 0, first, first // 2), options.seed),
        explored=explore_bids,
    )
    tried = run_trials(
        space, scheduler=options.scheduler, seed=options.seed, folder=folder, observer=observer
    )
    trial = BidTrial(auctions, tried[0].setting, options.seed)
    if tried[0].state is not None:
        trial.restore(tried[0].state, on_more=True)
    while not trial.finished:
        trial.step()
        judging(trial.chunks_done)
    return EvolvedBids(tried, _judge(trial, tried[0], options.seed))


def _begin(auctions: Auctions, seed: int, values: Mapping[str, Any]) -> BidTrial:
    return BidTrial(auctions, BidSetting(**values), seed)


def _judge(trial: BidTrial, best: Tried, seed: int) -> BidWinner:
    rows, randomness = trial.judged(), Randomness(seed)
    random = randomness.stream("interval of the winning bid policy")
    kept, reward, chances = trial.kept(rows), trial.reward[rows], trial.chances[rows]
    fixed = int(np.argmax(reward.mean(axis=0)))
    ones, length = np.ones(len(rows)), block_length(len(rows), 1)
    log = draw_log(chances, reward, randomness.stream("log of the winning bid policy"))
    return BidWinner(
        tried=best,
        judged=len(rows),
        fixed_ppm=SHARES_PPM[fixed],
        kept=ratio_interval(kept, ones, random, length=length),
        fixed_kept=float(reward[:, fixed].mean()),
        gain=ratio_interval(kept - reward[:, fixed], ones, random, length=length),
        gain_from_log=policy_gain(
            log, chances, always(fixed, len(rows)), trial.forecast[rows], random, length=length
        ),
        learned=trial.learned(),
    )
