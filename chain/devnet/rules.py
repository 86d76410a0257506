"""What holds on every local chain, be it a node or an EVM in this process."""

from __future__ import annotations

from chain.blocks import Address

CHAIN_ID = 1
HARDFORK = "cancun"
GENESIS_TIME = 1_700_000_000
"""Timestamp of block 0, in seconds."""
BLOCK_TIME = 12
"""Seconds between blocks."""
GAS_LIMIT = 30_000_000
"""Gas of a block."""
TRANSACTION_GAS = 16_000_000
"""Gas limit of a transaction; the dearest deployment takes half of it."""
BASE_FEE = 10_000_000_000
"""Wei per gas of every block that a backend mines, so that a new world starts with a usual fee."""
CALLER: Address = "0x" + "ca11" * 10
"""Sender of read-only calls."""
