"""Every target by name, with the recordings it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from models.targets import blocks, gaps, slot_auction, survival_blocks, survival_logs, tips
from models.targets.making import shortened
from models.targets.table import TargetTable


@dataclass(frozen=True, slots=True)
class Group:
    """Targets made of one reading.

    Parameters
    ----------
    build
        Yields the tables, given the data root.
    docs
        One line for each target, by name, in the order of ``build``.
    """

    build: Callable[[Path], Iterator[TargetTable]]
    docs: Mapping[str, str]


GROUPS = (
    Group(
        blocks.build,
        {
            "base_fee_2": "Base fee two blocks ahead, over the child's exact one.",
            "base_fee_3": "Base fee three blocks ahead, over the child's exact one.",
            "base_fee_5": "Base fee five blocks ahead, over the child's exact one.",
            "gas_used_1": "Gas used over gas limit of the next block.",
            "winning_bid_1": "Winning bid of the next block; censored where there is no auction.",
        },
    ),
    Group(tips.build, {"bundle_tips_1": "What bundles pay in the next block, in the auction of 2021."}),
    Group(
        slot_auction.build,
        {"slot_auction": "How far the highest bid of a running slot still rises."},
    ),
    Group(
        gaps.build,
        {
            "usdc_gap_1": "Change of the gap between the two WETH/USDC pools over one slot.",
            "usdc_gap_5": "Change of the gap between the two WETH/USDC pools over five slots.",
            "tier_gap_5": "The same over five slots, learnt and judged in April 2023.",
            "pool_price_5": "Change of the price in the WETH/USDC pool of 0.05 % over five slots.",
        },
    ),
    Group(
        survival_logs.build,
        {
            "survival_swaps_3": "Is a gap just opened still above its threshold three swaps later?",
            "survival_block_end": "Is it still above its threshold at the end of its block?",
            "survival_next_block": "Is it still above its threshold after the next block with swaps?",
            "gap_left_block_end": "What share of the gap is left at the end of its block.",
        },
    ),
    Group(
        survival_blocks.build,
        {
            f"survival_{chain}_{distance}": f"Is an opportunity on {chain.capitalize()} uncaptured "
            f"{distance} block(s) after it opened?"
            for chain in survival_blocks.CHAINS
            for distance in survival_blocks.DISTANCES
        },
    ),
)

TARGETS: Mapping[str, str] = {name: doc for group in GROUPS for name, doc in group.docs.items()}
"""One line for each target, by name."""


def build_targets(
    root: Path, names: Iterable[str] | None = None, short: bool = False
) -> Iterator[TargetTable]:
    """Yield the tables of targets, in the order of :data:`TARGETS`.

    Parameters
    ----------
    root
        Folder of recorded history.
    names
        Which; all where None.
    short
        Whether to keep only some 2,000 rows around the first judged one.

    Raises
    ------
    InputError
        If a name is unknown, or a recording is missing or not what it should be.
    """
    wanted = list(TARGETS) if names is None else list(names)
    unknown = [name for name in wanted if name not in TARGETS]
    if unknown:
        raise InputError(
            f"no target is called {', '.join(unknown)}; there are {', '.join(TARGETS)}", unknown=unknown
        )
    return _build(root, frozenset(wanted), short)


def _build(root: Path, wanted: frozenset[str], short: bool) -> Iterator[TargetTable]:
    for group in GROUPS:
        if wanted.isdisjoint(group.docs):
            continue
        for table in group.build(root):
            if table.name in wanted:
                yield shortened(table) if short else table
