"""skeleton"""
from __future__ import annotations
from typing import Any
from core.seams import Randomness

class BidModel:
    """Distribution of the best competing bid as a share of gross profit; fits scoring/execution BidPolicy."""
    def __init__(self, randomness: Randomness, *, exploration: float = 0.05) -> None: ...
    def win_probability(self, share: float) -> float: ...
    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        """(bid wei, win probability)"""
    def observe(self, gross_profit: int, bid: int, won: bool, winning_bid: int | None) -> None:
        """won: best competitor was below ours; lost: winning_bid is its bid, None = unknown but >= ours."""
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
