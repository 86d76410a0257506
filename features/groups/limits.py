"""Ends of the ranges of features that have no natural ones: no chain's values come near them.

They are finite so that a number that is none of a chain's, however it came about, is refused and not learned
from: a mean that has taken in ``1e155`` forgets everything else.
"""

from __future__ import annotations

MOST_GWEI = 1e6
"""Base fee, gwei: a block of 30 million gas would burn 30,000 ether."""
MOST_LOG = 200.0
"""Natural logarithm of an amount or of a ratio of amounts: 256 bits are 177."""
MOST_PPM = 1e9
"""Log of a ratio of prices, ppm: prices of pools lie between 2**-128 and 2**128, which is 1.8e8 apart."""
MOST_ETHER = 1e12
"""Amount that is traded in a block, ether."""
MOST_COUNT = 1e6
"""Things in one block: swaps, pools, transactions; or their mean."""
MOST_PENDING = 1e9
"""Pending transactions."""
MOST_SECONDS = 1e10
"""Time between two blocks, seconds: more than the time since 1970."""
MOST_BLOCKS = 1e10
"""Number of blocks: more than any chain has."""
MOST_RATIO = 1e3
"""A short mean over a long one of the same values: the ratio of their steps, 28 at most."""
