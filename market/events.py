"""Logs of the pools we follow, decoded: what happened, where, in signed integers.

One frozen record per kind of event. A log of a kind that does not concern state gives
``None``; a log of a known kind with impossible contents is an error that names its
position, never a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chain.blocks import Address, RawLog
from market.log_words import (
    LogWords,
    decoded,
    malformed,
    place,
    place_in_vault,
    position_ticks,
    topic_address,
)


@dataclass(frozen=True, slots=True)
class EventBase:
    """Where an event happened: contract, pool, and position in the chain."""

    pool_id: str
    address: Address
    block_number: int
    log_index: int
    transaction_index: int


@dataclass(frozen=True, slots=True)
class PairSync(EventBase):
    """Uniswap V2 ``Sync``: both reserves, raw units."""

    reserve0: int
    reserve1: int


@dataclass(frozen=True, slots=True)
class PairSwap(EventBase):
    """Uniswap V2 ``Swap``: flow only; the ``Sync`` before it carries the state."""

    amount0_in: int
    amount1_in: int
    amount0_out: int
    amount1_out: int


@dataclass(frozen=True, slots=True)
class V3Initialize(EventBase):
    """Uniswap V3 ``Initialize``: first price."""

    sqrt_price_x96: int
    tick: int


@dataclass(frozen=True, slots=True)
class V3Swap(EventBase):
    """Uniswap V3 ``Swap``: signed amounts (positive = paid to the pool) and state after."""

    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


@dataclass(frozen=True, slots=True)
class V3PositionEvent(EventBase):
    """A position between two ticks changed by ``amount`` of liquidity, worth raw ``amount0``, ``amount1``."""

    lower: int
    upper: int
    amount: int
    amount0: int
    amount1: int


@dataclass(frozen=True, slots=True)
class V3Mint(V3PositionEvent):
    """Uniswap V3 ``Mint``: liquidity was added."""


@dataclass(frozen=True, slots=True)
class V3Burn(V3PositionEvent):
    """Uniswap V3 ``Burn``: liquidity was taken away."""


@dataclass(frozen=True, slots=True)
class VaultSwap(EventBase):
    """Balancer V2 ``Swap``."""

    token_in: Address
    token_out: Address
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class VaultBalanceChanged(EventBase):
    """Balancer V2: net change of each balance.

    ``PoolBalanceChanged`` with protocol fees taken off, or ``PoolBalanceManaged``, where what the vault
    holds and what a manager has lent out together are the balance.
    """

    tokens: tuple[Address, ...]
    changes: tuple[int, ...]


Event = PairSync | PairSwap | V3Initialize | V3Swap | V3Mint | V3Burn | VaultSwap | VaultBalanceChanged

PAIR_SYNC = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")
PAIR_SWAP = bytes.fromhex("d78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822")
V3_INITIALIZE = bytes.fromhex("98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95")
V3_SWAP = bytes.fromhex("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67")
V3_MINT = bytes.fromhex("7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde")
V3_BURN = bytes.fromhex("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c")
VAULT_SWAP = bytes.fromhex("2170c741c41531aec20e7c107c24eecfdd15e69c9bb0a8dd37b1840b9e0b207b")
VAULT_BALANCE_MANAGED = bytes.fromhex("6edcaf6241105b4c94c2efdbf3a6b12458eb3d07be3a0e81d24b13c44045fe7a")
VAULT_BALANCE_CHANGED = bytes.fromhex("e5ce249087ce04f05a957192435400fd97868dba0e6a4b4c049abf8af80dae78")

STATELESS_TOPICS = frozenset(
    bytes.fromhex(topic)
    for topic in (
        "4c209b5fc8ad50758f13e2e1088ba56a560dff690a1c6fef26394f4c03821c4f",  # V2 Mint
        "dccd412f0b1252819cb1fd330b93224ca42612892bb3f4f789976e6d81936496",  # V2 Burn
        "bdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633",  # V3 Flash
        "70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0",  # V3 Collect
        "973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133",  # V3 SetFeeProtocol
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",  # ERC-20 Transfer
        "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",  # ERC-20 Approval
        "0d7d75e01ab95780d3cd1c8ec0dd6c2ce19e3a20427eec8bf53283b6fb8e95f0",  # Balancer FlashLoan
    )
)
"""Kinds of logs that pools emit and that change nothing we follow."""


def decode(log: RawLog) -> Event | None:
    """Return the event a log holds, or ``None`` if its kind carries no pool state.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, DECODERS)


def _pair_sync(log: RawLog) -> PairSync:
    words = LogWords(log, 2)
    return PairSync(*place(log), words.unsigned(0, 112), words.unsigned(1, 112))


def _pair_swap(log: RawLog) -> PairSwap:
    words = LogWords(log, 4)
    return PairSwap(*place(log), words.unsigned(0), words.unsigned(1), words.unsigned(2), words.unsigned(3))


def _v3_initialize(log: RawLog) -> V3Initialize:
    words = LogWords(log, 2)
    return V3Initialize(*place(log), words.sqrt_price(0), words.tick(1))


def _v3_swap(log: RawLog) -> V3Swap:
    words = LogWords(log, 5)
    state = words.sqrt_price(2), words.unsigned(3, 128), words.tick(4)
    return V3Swap(*place(log), words.signed(0), words.signed(1), *state)


def _v3_mint(log: RawLog) -> V3Mint:
    words = LogWords(log, 4)
    amounts = words.unsigned(1, 128), words.unsigned(2), words.unsigned(3)
    return V3Mint(*place(log), *position_ticks(log), *amounts)


def _v3_burn(log: RawLog) -> V3Burn:
    words = LogWords(log, 3)
    amounts = words.unsigned(0, 128), words.unsigned(1), words.unsigned(2)
    return V3Burn(*place(log), *position_ticks(log), *amounts)


def _vault_swap(log: RawLog) -> VaultSwap:
    words = LogWords(log, 2)
    tokens = topic_address(log, 2), topic_address(log, 3)
    return VaultSwap(*place_in_vault(log), *tokens, words.unsigned(0), words.unsigned(1))


def _vault_balance_changed(log: RawLog) -> VaultBalanceChanged:
    words = LogWords(log, None)
    if len(log.data) < 96:
        raise malformed(log, "three arrays expected")
    (tokens_at, count), (deltas_at, deltas), (fees_at, fees) = (words.array(head) for head in range(3))
    if not count == deltas == fees:
        raise malformed(log, "tokens, deltas and fees differ in length")
    tokens = tuple(words.address(tokens_at + i) for i in range(count))
    changes = tuple(words.signed(deltas_at + i) - words.unsigned(fees_at + i) for i in range(count))
    return VaultBalanceChanged(*place_in_vault(log), tokens, changes)


def _vault_balance_managed(log: RawLog) -> VaultBalanceChanged:
    words = LogWords(log, 2)
    return VaultBalanceChanged(
        *place_in_vault(log), (topic_address(log, 3),), (words.signed(0) + words.signed(1),)
    )


DECODERS: dict[bytes, tuple[int, Callable[[RawLog], Event]]] = {
    PAIR_SYNC: (1, _pair_sync),
    PAIR_SWAP: (3, _pair_swap),
    V3_INITIALIZE: (1, _v3_initialize),
    V3_SWAP: (3, _v3_swap),
    V3_MINT: (4, _v3_mint),
    V3_BURN: (4, _v3_burn),
    VAULT_SWAP: (4, _vault_swap),
    VAULT_BALANCE_MANAGED: (4, _vault_balance_managed),
    VAULT_BALANCE_CHANGED: (3, _vault_balance_changed),
}
