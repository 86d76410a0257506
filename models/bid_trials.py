"""One trial of a search over bid policies: recorded auctions, bid on as they come, chunk by chunk.

What every share would have kept of a recorded auction is known, so a policy's value is exact on the auctions
that it bids on. Nothing of an auction is learned before a later moment has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import ModelError
from core.seams import Randomness
from models.bid_distribution import Floats, LogNormalBids
from models.bid_policy import best_action, draw, explored
from models.bid_report import SHARES
from models.recorded_auctions import Auctions
from models.survival import CountedBids
from models.targets.past import Integers
from models.trials import CHUNKS

BEST, QUANTILE = "best", "quantile"
COUNTED, LOG_NORMAL = "counted", "log_normal"
TOLD, OWN = "told", "own"

POLICIES = (
    (BEST, COUNTED, TOLD),
    (BEST, LOG_NORMAL, TOLD),
    (QUANTILE, COUNTED, TOLD),
    (BEST, LOG_NORMAL, OWN),
    (QUANTILE, LOG_NORMAL, OWN),
    (BEST, COUNTED, OWN),
)
"""Rule, forecast, and what is learned from; they take turns, so that few trials try different ones."""

MEMORIES = (100, 300, 1000, 3000)
QUANTILES = (0.2, 0.3, 0.4, 0.5, 0.6)
SHRINKAGES = (0.0, 0.25, 0.5, 0.75)
EXPLORATIONS = (0.0, 0.02, 0.05, 0.1)

_KEPT: Floats = 1 - SHARES
_EVERYWHERE = np.ones(len(SHARES), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class BidSetting:
    """One point of a search over bid policies.

    Parameters
    ----------
    target
        Name of the auctions.
    rule
        ``best`` bids what is expected to keep most, ``quantile`` the least that wins often enough.
    forecast
        Of the best competing bid: ``counted``, or a ``log_normal``.
    learns
        From the best competing bid, ``told`` after each auction, or from its ``own`` wins and losses alone.
    memory
        Auctions after which one of them counts a third: the window of history.
    quantile
        Chance to win that is often enough; read by that rule alone.
    shrinkage
        How far the share is drawn to the one that was expected to keep most so far, in [0, 1).
    exploration
        Share of bids that are tries.
    """

    target: str
    rule: str
    forecast: str
    learns: str
    memory: int
    quantile: float
    shrinkage: float
    exploration: float


def draw_bid_settings(target: str, randomness: Randomness, count: int) -> list[BidSetting]:
    """Return settings to try.

    Examples
    --------
    >>> [setting.rule for setting in draw_bid_settings("bids", Randomness(7), 3)]
    ['best', 'best', 'quantile']
    """
    random = randomness.stream("settings of bid policies")
    return [
        BidSetting(
            target,
            *POLICIES[number % len(POLICIES)],
            memory=_one_of(random, MEMORIES),
            quantile=_one_of(random, QUANTILES),
            shrinkage=_one_of(random, SHRINKAGES),
            exploration=_one_of(random, EXPLORATIONS),
        )
        for number in range(count)
    ]


def explore_bids(setting: BidSetting, random: np.random.Generator) -> BidSetting:
    """Return a setting nearby that can go on from the same state: what was learned stays of use."""
    return replace(
        setting,
        quantile=_one_of(random, QUANTILES),
        shrinkage=_one_of(random, SHRINKAGES),
        exploration=_one_of(random, EXPLORATIONS),
    )


def part_of(auctions: Auctions, start: int, end: int, first_judged: int) -> Auctions:
    """Return the auctions of some rows; ``first_judged`` counts from the first of them."""
    columns = {name: getattr(auctions, name)[start:end] for name in ("moment", "value", "rival", "scale")}
    return replace(auctions, **columns, first_judged=first_judged)


class BidTrial:
    """A bid policy on recorded auctions; it goes on exactly from its :meth:`state`.

    Parameters
    ----------
    auctions
        Rows before ``first_judged`` are bid on and learned from, and not judged.
    setting
        What is tried.
    seed
        Seeds its tries.

    Raises
    ------
    ModelError
        If there is no such policy, or fewer rows are judged than there are chunks.
    """

    def __init__(self, auctions: Auctions, setting: BidSetting, seed: int) -> None:
        if (setting.rule, setting.forecast, setting.learns) not in POLICIES:
            raise ModelError(f"there is no bid policy {setting.rule}, {setting.forecast}, {setting.learns}")
        judged = np.arange(auctions.first_judged, len(auctions.moment))
        if len(judged) < CHUNKS:
            raise ModelError(f"{len(judged)} auctions are too few to judge in {CHUNKS} chunks")
        self.setting = setting
        self.auctions = auctions
        self._ratios = np.log(np.outer(auctions.value / auctions.scale, SHARES))
        self._rivals = np.log(auctions.rival / auctions.scale)
        self._won = self._ratios > self._rivals[:, None]
        self.reward: Floats = self._won * _KEPT
        memory = 1 - 1 / setting.memory
        self._bids = CountedBids(memory) if setting.forecast == COUNTED else LogNormalBids(memory)
        self._random = Randomness(seed).stream(f"tries on {auctions.name}")
        self._chunks = np.array_split(judged, CHUNKS)
        self._done = self._played = self._learned = 0
        self.forecast, self.chances = np.zeros(self.reward.shape), np.zeros(self.reward.shape)
        self._actions = np.zeros(len(self.reward), dtype=np.int64)
        self._liked = np.zeros(len(SHARES))

    @property
    def chunks_done(self) -> int:
        """Chunks judged so far."""
        return self._done

    @property
    def finished(self) -> bool:
        """Whether every chunk is judged."""
        return self._done == CHUNKS

    def step(self) -> dict[str, float]:
        """Bid on one more chunk and return how it went.

        Returns
        -------
        dict
            ``kept``: share of the value kept an auction so far; ``skill``: the same less what the fixed share
            keeps that is best in hindsight on the same auctions; ``recent``: of two chunks; ``rows``.

        Raises
        ------
        ModelError
            If all chunks are judged.
        """
        if self.finished:
            raise ModelError("all chunks of this trial are judged", chunks=CHUNKS)
        for row in range(self._played, int(self._chunks[self._done][-1]) + 1):
            self._play(row)
        self._done += 1
        rows, late = self.judged(), self.judged(max(self._done - 2, 0))
        return {
            "skill": self._gain(rows),
            "recent": self._gain(late),
            "kept": float(self.kept(rows).mean()),
            "rows": float(len(rows)),
        }

    def judged(self, first_chunk: int = 0) -> Integers:
        """Return the rows judged so far, from a chunk on."""
        return np.concatenate(self._chunks[first_chunk : self._done])

    def kept(self, rows: Integers) -> Floats:
        """Return the share of the value that the policy keeps of each row, on average over its tries."""
        kept: Floats = (self.chances[rows] * self.reward[rows]).sum(axis=1)
        return kept

    def learned(self) -> dict[str, Any]:
        """Return the state of its forecast."""
        return self._bids.state()

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on exactly."""
        played = slice(0, self._played)
        return {
            "done": self._done,
            "played": self._played,
            "learned": self._learned,
            "bids": self._bids.state(),
            "random": self._random.bit_generator.state,
            "liked": self._liked.copy(),
            **{name: getattr(self, name)[played].copy() for name in ("forecast", "chances", "_actions")},
        }

    def restore(self, state: dict[str, Any], *, on_more: bool = False) -> None:
        """Go on from :meth:`state`, under the setting of this trial.

        Parameters
        ----------
        state
            Of a trial on the same auctions.
        on_more
            Whether that trial was on the first of these auctions only: none of its chunks is one of ours.

        Raises
        ------
        ModelError
            If it had bid on more auctions than there are.
        """
        played = int(state["played"])
        if played > len(self.reward) or (on_more and played > self.auctions.first_judged):
            raise ModelError("the saved trial was on other auctions; restore it on the same")
        self._bids.restore(state["bids"])
        self._random.bit_generator.state = state["random"]
        self._liked = np.array(state["liked"], dtype=np.float64)
        self._played, self._learned = played, int(state["learned"])
        self._done = 0 if on_more else int(state["done"])
        for name in ("forecast", "chances", "_actions"):
            getattr(self, name)[:played] = state[name]

    def _play(self, row: int) -> None:
        while self.auctions.moment[self._learned] < self.auctions.moment[row]:
            self._learn(self._learned)
            self._learned += 1
        chance = self._bids.chance_below(self._ratios[row])
        expected = chance * _KEPT
        self.forecast[row] = expected
        self.chances[row] = explored(self._share(chance, expected), _EVERYWHERE, self.setting.exploration)
        self._actions[row] = draw(self.chances[row], self._random)
        self._liked += expected
        self._played = row + 1

    def _share(self, chance: Floats, expected: Floats) -> int:
        best = best_action(chance, _KEPT)
        often = np.flatnonzero(chance >= self.setting.quantile)
        if self.setting.rule == QUANTILE and len(often):
            best = int(often[0])
        so_far = int(np.argmax(self._liked + expected))
        return round((1 - self.setting.shrinkage) * best + self.setting.shrinkage * so_far)

    def _learn(self, row: int) -> None:
        if self.setting.learns == TOLD:
            self._bids.learn_told(float(self._rivals[row]))
            return
        own = self._actions[row]
        learn = self._bids.learn_won if self._won[row, own] else self._bids.learn_lost
        learn(float(self._ratios[row, own]))

    def _gain(self, rows: Integers) -> float:
        return float(self.kept(rows).mean() - self.reward[rows].mean(axis=0).max())


def _one_of(random: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(random.integers(len(choices)))]
