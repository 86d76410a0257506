"""Logs by which factories and singletons announce pools, decoded: one listing a log.

A factory's log is taken at its word only where its pools' addresses do not follow from its facts.
Where they do, an address that differs is refused: then the facts are not those of this contract.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chain.blocks import Address, RawLog
from chain.pool_addresses import pool_address
from core.reasons import Reason, Refusal
from market.discovery.listings import Listing
from market.discovery.sources import PoolSource, SourceKind
from market.log_words import LogWords, malformed, topic_address
from market.pools.solidly import STABLE, VOLATILE
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import pool_id_of, unsupported

PAIR_CREATED = bytes.fromhex("0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9")
SOLIDLY_POOL_CREATED = bytes.fromhex("2128d88d14c80cb081c1252a5acff7a264671bf199ce226b53788fb26065005e")
V3_POOL_CREATED = bytes.fromhex("783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118")
SLIPSTREAM_POOL_CREATED = bytes.fromhex("ab0d57f0df537bb25e80245ef7748fa62353808c54d6e528a9dd20887aed9ac2")
ALGEBRA_POOL = bytes.fromhex("91ccaa7a278130b65168c3a0c8d3bcae84cf5e43704342bd3ec0b59e59c036db")
V4_INITIALIZE = bytes.fromhex("dd466e674ea557f56295e2d0218a125ea4b4f0f6f3307b95f85e6110838d6438")
BALANCER_V2_REGISTERED = bytes.fromhex("3c13bc30b8e878c53fd2a36b679409c073afd75950be43d8858768e956fbc20e")
BALANCER_V3_REGISTERED = bytes.fromhex("bc1561eeab9f40962e2fb827a7ff9c7cdb47a9d7c84caeefa4ed90e043842dad")

ALGEBRA_TICK_SPACING = 60
_PPM_TO_FIXED = 10**12
_TOKEN_WORDS = 4
_V3_HEAD_WORDS = 21
_SWAP_HOOKS = (9, 10, 11)
"""Words of Balancer V3's log: a hook sets the fee, acts before a swap, acts after it."""
_HOOKS_CONTRACT = 16


def creation_topic(source: PoolSource) -> bytes:
    """Return the first topic of the logs by which a source announces pools.

    Raises
    ------
    KeyError
        If it is a registry, or out of reach.
    """
    return _ANNOUNCEMENTS[source.kind][0]


def listed(source: PoolSource, log: RawLog) -> Listing:
    """Return the pool that a source's log announces.

    Parameters
    ----------
    source
        Who wrote the log.
    log
        With the topic of :func:`creation_topic`.

    Raises
    ------
    TapeError
        If topics or data do not fit the announcement; ``fields`` hold block, log index and address.
    """
    _, count, read = _ANNOUNCEMENTS[source.kind]
    if len(log.topics) != count:
        raise malformed(log, f"expected {count} topics, got {len(log.topics)}")
    if any(len(topic) != 32 for topic in log.topics):
        raise malformed(log, "topics must be whole 32-byte words")
    spec, refusal = read(source, log)
    return Listing(replace(spec, venue=source.name), log.block_number, log.log_index, refusal)


_Read = tuple[PoolSpec, Refusal | None]


def _pair(source: PoolSource, log: RawLog) -> _Read:
    pool = LogWords(log, 2).address(0)
    fee = source.factory.fee_ppm if source.factory is not None else None
    spec = PoolSpec("uniswap_v2", pool, pool, _two_tokens(log), fee or 0)
    return spec, _mismatch(source, spec)


def _solidly(source: PoolSource, log: RawLog) -> _Read:
    pool, stable = LogWords(log, 2).address(0), _topic_number(log, 3)
    if stable > 1:
        raise malformed(log, f"a curve is 0 or 1, got {stable}")
    family = STABLE if stable else VOLATILE
    spec = PoolSpec(family, pool, pool, _two_tokens(log), 0, factory=source.address)
    return spec, _mismatch(source, spec, stable=bool(stable))


def _v3(source: PoolSource, log: RawLog) -> _Read:
    words, fee = LogWords(log, 2), _topic_number(log, 3)
    spacing, pool = words.signed(0, 24), words.address(1)
    if fee >= 1_000_000 or spacing <= 0:
        raise malformed(log, f"fee {fee} and tick spacing {spacing} are impossible")
    spec = PoolSpec(source.kind.value, pool, pool, _two_tokens(log), fee, tick_spacing=spacing)
    return spec, _mismatch(source, spec, fee_ppm=fee)


def _slipstream(source: PoolSource, log: RawLog) -> _Read:
    pool, spacing = LogWords(log, 1).address(0), _topic_number(log, 3)
    if not 0 < spacing < 1 << 15:
        raise malformed(log, f"tick spacing {spacing} is impossible")
    tokens = _two_tokens(log)
    spec = PoolSpec("slipstream", pool, pool, tokens, 0, tick_spacing=spacing, factory=source.address)
    return spec, _mismatch(source, spec, tick_spacing=spacing)


def _algebra(source: PoolSource, log: RawLog) -> _Read:
    pool, tokens = LogWords(log, 1).address(0), _two_tokens(log)
    spacing = ALGEBRA_TICK_SPACING
    spec = PoolSpec("algebra_v1", pool, pool, tokens, 0, tick_spacing=spacing, factory=source.address)
    return spec, _mismatch(source, spec)


def _v4(source: PoolSource, log: RawLog) -> _Read:
    words, pool_id = LogWords(log, 5), "0x" + log.topics[1].hex()
    tokens = topic_address(log, 2), topic_address(log, 3)
    fee, spacing, hooks = words.unsigned(0, 24), words.signed(1, 24), words.address(2)
    spec = PoolSpec("uniswap_v4", pool_id, log.address, tokens, fee, tick_spacing=spacing, hooks=hooks)
    derived = pool_id_of(spec)
    if derived != pool_id:
        return spec, Refusal(Reason.POOL_ADDRESS_MISMATCH, f"its key gives the id {derived}")
    return spec, unsupported(spec)


def _balancer_v2(source: PoolSource, log: RawLog) -> _Read:
    pool_id, pool = "0x" + log.topics[1].hex(), topic_address(log, 2)
    spec = PoolSpec("", pool_id, log.address, (), 0)
    if pool_id[:42] != pool:
        return spec, Refusal(Reason.POOL_ADDRESS_MISMATCH, f"its id does not begin with its address {pool}")
    return spec, None


def _balancer_v3(source: PoolSource, log: RawLog) -> _Read:
    words = LogWords(log, None)
    if len(log.data) < 32 * _V3_HEAD_WORDS:
        raise malformed(log, f"expected {_V3_HEAD_WORDS} words or more, got {len(log.data) / 32:g}")
    first, count = words.array(0)
    if 32 * (first + _TOKEN_WORDS * count) > len(log.data):
        raise malformed(log, f"array of {count} tokens runs past the data")
    tokens = tuple(words.address(first + _TOKEN_WORDS * place) for place in range(count))
    hooks = any(words.unsigned(place, 1) for place in _SWAP_HOOKS)
    pool, contract = topic_address(log, 1), words.address(_HOOKS_CONTRACT) if hooks else ""
    fee = words.unsigned(1) // _PPM_TO_FIXED
    spec = PoolSpec("", pool, log.address, tokens, fee, hooks=contract, factory=topic_address(log, 2))
    if hooks:
        return spec, Refusal(Reason.HOOKS_NOT_SUPPORTED, f"the hooks {contract} take part in swaps")
    return spec, None


_ANNOUNCEMENTS: dict[SourceKind, tuple[bytes, int, Callable[[PoolSource, RawLog], _Read]]] = {
    SourceKind.UNISWAP_V2: (PAIR_CREATED, 3, _pair),
    SourceKind.CAMELOT_V2: (PAIR_CREATED, 3, _pair),
    SourceKind.SOLIDLY: (SOLIDLY_POOL_CREATED, 4, _solidly),
    SourceKind.UNISWAP_V3: (V3_POOL_CREATED, 4, _v3),
    SourceKind.PANCAKE_V3: (V3_POOL_CREATED, 4, _v3),
    SourceKind.SLIPSTREAM: (SLIPSTREAM_POOL_CREATED, 4, _slipstream),
    SourceKind.ALGEBRA: (ALGEBRA_POOL, 3, _algebra),
    SourceKind.UNISWAP_V4: (V4_INITIALIZE, 4, _v4),
    SourceKind.BALANCER_V2: (BALANCER_V2_REGISTERED, 3, _balancer_v2),
    SourceKind.BALANCER_V3: (BALANCER_V3_REGISTERED, 3, _balancer_v3),
}


def _mismatch(
    source: PoolSource,
    spec: PoolSpec,
    *,
    fee_ppm: int | None = None,
    tick_spacing: int | None = None,
    stable: bool | None = None,
) -> Refusal | None:
    if source.factory is None:
        return None
    terms = {"fee_ppm": fee_ppm, "tick_spacing": tick_spacing, "stable": stable}
    derived = pool_address(source.factory, *spec.tokens, **terms)  # type: ignore[arg-type]
    if derived == spec.address:
        return None
    return Refusal(Reason.POOL_ADDRESS_MISMATCH, f"the facts of {source.name} put this pool at {derived}")


def _two_tokens(log: RawLog) -> tuple[Address, Address]:
    first, second = topic_address(log, 1), topic_address(log, 2)
    if first >= second:
        raise malformed(log, "the tokens of a pool are in ascending order")
    return first, second


def _topic_number(log: RawLog, index: int) -> int:
    return int.from_bytes(log.topics[index], "big")
