"""Discovery on a node with the protocols' own factories: complete, resumable, and hard to fool."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.protocols import TOKENS, UNISWAP_V2_FACTORY, must_send
from chain.devnet.world import fund
from chain.networks import load_network
from chain.providers import Provider, Request
from core.database import open_database
from core.errors import InputError, RpcError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from market.discovery.liquidity import least_of
from market.discovery.sources import chosen_sources
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from pipeline.deployment import deployment_block
from pipeline.discovery import Discovery, Tally
from pipeline.discovery_plan import Scan, Window, check_chain_id, plan_scan, settled_block
from pipeline.pool_rows import PoolStatus, StoredPool
from pipeline.pool_sieve import Judge, PoolSieve, cannot_trade
from pipeline.pool_store import PoolQuery, PoolStore
from tests.devnet_fixtures import Devnet

ROOT = Path(__file__).resolve().parents[2]
ETHEREUM = load_network("ethereum")
OURS = ("uniswap_v2", "sushiswap_v2", "uniswap_v3", "balancer_v2")
"""Sources that the local chain has."""
BLOCKS_AT_ONCE = 16


class NarrowNode(Provider):
    """A node as many are: it gives the logs of a few blocks at once."""

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        for method, params in requests:
            if method == "eth_getLogs":
                blocks = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
                if blocks > BLOCKS_AT_ONCE:
                    text = f"eth_getLogs is limited to a {BLOCKS_AT_ONCE} blocks range"
                    raise RpcError(text, method=method, code=-32005, message=text, data=None)
        return await super().batch(requests)


class NoArchive(Provider):
    """A node that has the state of the newest blocks only."""

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        head = int(await super().call("eth_blockNumber", []), 16)
        if method == "eth_getCode" and int(params[1], 16) < head - 16:
            text = "missing trie node"
            raise RpcError(text, method=method, code=-32000, message=text, data=None)
        return await super().call(method, params)


def opened(path: Path) -> PoolStore:
    return PoolStore(open_database(f"sqlite:///{path}"), ManualClock(now=5))


async def discover(
    url: str,
    store: PoolStore,
    names: tuple[str, ...] = OURS,
    *,
    first: int | None = None,
    last: int | None = None,
    again: bool = False,
    is_refused: Judge = cannot_trade,
) -> dict[str, Tally | Refusal]:
    """Discover on a node, range by small range."""
    found: dict[str, Tally | Refusal] = {}
    async with NarrowNode(url) as node:
        window = Window((await settled_block(node, 0)).number, first, last)
        sieve = PoolSieve(node, ETHEREUM, least_of(ETHEREUM, {}), is_refused=is_refused)
        discovery = Discovery(node, store, ETHEREUM, sieve, ManualClock(now=5), 0)
        for source in chosen_sources(ETHEREUM, names):
            plan = await plan_scan(node, store, ETHEREUM, source, window)
            found[source.name] = await discovery.run(plan, _nothing) if isinstance(plan, Scan) else plan
        if again:
            found["again"] = await discovery.again(_nothing)
    return found


def _nothing(_done: int) -> None:
    pass


def tally(found: int, kept: int, **refused: int) -> Tally:
    return Tally(found, kept, Counter({Reason(reason): count for reason, count in refused.items()}))


def contents(store: PoolStore) -> list[StoredPool]:
    """Return what is known of pools, but for when they were looked at."""
    return [replace(pool, judged_block=0) for pool in store.pools(PoolQuery())]


def marks(store: PoolStore) -> list[Any]:
    return [store.progress("ethereum", name) for name in OURS]


async def test_every_pool_of_the_world_is_found_as_it_was_made(devnet: Devnet, tmp_path: Path) -> None:
    store = opened(tmp_path / "pools.db")
    found = await discover(devnet.anvil.http_url, store)
    stored = {pool.spec.pool_id: pool for pool in store.pools(PoolQuery())}
    assert set(stored) == {pool.pool_id for pool in devnet.world.pools}
    for made in devnet.world.pools:
        pool = stored[made.pool_id]
        spec = pool.spec
        described = (spec.family, spec.address, spec.tokens, spec.fee, spec.tick_spacing, spec.weights)
        expected = (made.family, made.address, made.tokens, made.fee, made.tick_spacing, made.weights)
        assert described == expected
        # the local chain's second factory is Uniswap's: its pairs are not where SushiSwap's would be
        mismatch = pool.refusal is not None and pool.refusal.reason is Reason.POOL_ADDRESS_MISMATCH
        assert mismatch == (made.venue == "sushiswap")
        assert (pool.status is PoolStatus.REFUSED) == mismatch
    assert found["uniswap_v2"] == Tally(found=3, kept=3)
    tokens = store.tokens("ethereum", [token.address for token in TOKENS.values()])
    assert {token.symbol for token in tokens.values()} == set(TOKENS)  # type: ignore[union-attr]


async def test_in_parts_is_the_same_as_at_once(devnet: Devnet, tmp_path: Path) -> None:
    url, head = devnet.anvil.http_url, devnet.backend.head().number
    at_once, in_parts = opened(tmp_path / "once.db"), opened(tmp_path / "parts.db")
    await discover(url, at_once)
    for last in (10, 30, 31, 47, head // 2, head):
        await discover(url, in_parts, last=last)
    assert contents(in_parts) == contents(at_once)
    assert marks(in_parts) == marks(at_once)
    nothing_new = await discover(url, in_parts)
    assert all(tally == Tally() for tally in nothing_new.values())


class Stopped(Exception):
    """What a test throws in the middle of something."""


@contextmanager
def stopping_at(store: PoolStore, commit: int, before: bool) -> Iterator[None]:
    """Fail at the end of a store's n-th transaction, just before or just after it is committed."""
    engine, seen = store.engine, 0

    def count(_connection: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == commit:
            raise Stopped

    if before:
        event.listen(engine, "commit", count)
        yield
        event.remove(engine, "commit", count)
        return
    plain = PoolStore.record

    def record(self: PoolStore, *arguments: Any) -> Any:
        done = plain(self, *arguments)
        count(None)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PoolStore, "record", record)
        yield


async def test_a_stop_at_any_moment_loses_nothing_and_doubles_nothing(devnet: Devnet, tmp_path: Path) -> None:
    url, name = devnet.anvil.http_url, ("uniswap_v3",)
    whole = opened(tmp_path / "whole.db")
    await discover(url, whole, name, first=0)
    for before in (True, False):
        store = opened(tmp_path / f"{before}.db")
        stops = 0
        while True:
            try:
                with stopping_at(store, 2, before):
                    await discover(url, store, name, first=0)
                break
            except Stopped:
                stops += 1
        # every run gets one range further and is stopped in its second
        assert stops > 3
        assert contents(store) == contents(whole)
        assert store.progress("ethereum", *name) == whole.progress("ethereum", *name)


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
import cli.node_address
from cli.main import app
from tests.pipeline.test_discovery import NarrowNode

left = int(sys.argv[1])

@event.listens_for(Engine, "commit")
def kill(connection):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

cli.node_address.Provider = NarrowNode
app(sys.argv[2:])
"""


async def test_a_killed_process_goes_on_where_it_was(devnet: Devnet, tmp_path: Path) -> None:
    url, database = devnet.anvil.http_url, tmp_path / "killed.db"
    command = ["pools", "discover", "--chain", "ethereum", "--rpc", url, "--db", str(database), "--json"]
    command += ["--confirmations", "0", "--factory", "uniswap_v2"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    # the tables are the first transaction, and the second range holds pairs
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, "3", *command, env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    with sqlite3.connect(database) as left:
        assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (reached,) = left.execute("SELECT next FROM discovery_progress").fetchone()
        (count,) = left.execute("SELECT count(*) FROM pools WHERE block >= ?", [reached]).fetchone()
        assert count == 0
    left.close()
    store, whole = opened(database), opened(tmp_path / "whole.db")
    await discover(url, store, ("uniswap_v2",))
    await discover(url, whole, ("uniswap_v2",))
    assert any(reached <= pool.block < reached + BLOCKS_AT_ONCE for pool in whole.pools(PoolQuery()))
    assert [replace(pool, recorded_ns=0) for pool in contents(store)] == [
        replace(pool, recorded_ns=0) for pool in contents(whole)
    ]
    assert store.progress("ethereum", "uniswap_v2") == whole.progress("ethereum", "uniswap_v2")


async def test_an_earlier_beginning_is_read_too_and_doubles_nothing(devnet: Devnet, tmp_path: Path) -> None:
    url, name = devnet.anvil.http_url, ("uniswap_v3",)
    store, whole = opened(tmp_path / "pools.db"), opened(tmp_path / "whole.db")
    await discover(url, whole, name, first=0)
    last_pool = max(pool.block for pool in whole.pools(PoolQuery()))
    first = await discover(url, store, name, first=last_pool)
    assert first["uniswap_v3"] == Tally(found=1, kept=1)
    progress = store.progress("ethereum", *name)
    assert progress is not None
    assert progress.first == last_pool
    # without a beginning the discovery goes on; with a later one too
    assert (await discover(url, store, name))["uniswap_v3"] == Tally()
    assert (await discover(url, store, name, first=last_pool + 1))["uniswap_v3"] == Tally()
    assert (await discover(url, store, name, first=0))["uniswap_v3"] == Tally(found=3, kept=3)
    assert contents(store) == contents(whole)
    assert store.progress("ethereum", *name) == whole.progress("ethereum", *name)


# --- what is not worth trading


def create_pair(devnet: Devnet, *tokens: Address) -> Address:
    owner = devnet.world.accounts["deployer"].address
    must_send(devnet.backend, owner, UNISWAP_V2_FACTORY, encode_call("createPair(address,address)", *tokens))
    find = encode_call("getPair(address,address)", *tokens)
    (pair,) = decode_result("address", devnet.backend.call(UNISWAP_V2_FACTORY, find))
    return str(pair)


def fill(devnet: Devnet, pair: Address, **amounts: int) -> None:
    for symbol, amount in amounts.items():
        fund(devnet.backend, devnet.world, pair, symbol, amount)


async def test_pools_without_worth_are_refused_and_looked_at_again(devnet: Devnet, tmp_path: Path) -> None:
    backend, url = devnet.backend, devnet.anvil.http_url
    owner = devnet.world.accounts["deployer"].address
    weth, dai, usdc = (TOKENS[symbol].address for symbol in ("WETH", "DAI", "USDC"))
    strangers = []
    for decimals in (18, 77):
        terms = encode_arguments("string,string,uint8,address", "S", "S", decimals, owner)
        strangers.append(backend.deploy(owner, load_artifact("TestToken").bytecode + terms))
    endless = "0x" + "e0" * 20
    backend.set_code(endless, bytes.fromhex("5b600056"))  # it never answers
    pairs = {
        "empty": create_pair(devnet, dai, usdc),
        "little": create_pair(devnet, weth, strangers[0]),
        "strange": create_pair(devnet, *strangers),
        "unusable": create_pair(devnet, weth, strangers[1]),
        "endless": create_pair(devnet, weth, endless),
    }
    fill(devnet, pairs["little"], WETH=5 * 10**17 - 1)
    for name in ("unusable", "endless"):
        fill(devnet, pairs[name], WETH=10**18)
    store = opened(tmp_path / "pools.db")
    found = await discover(url, store, ("uniswap_v2",))

    def reasons() -> dict[str, str | None]:
        stored = {pool.spec.pool_id: pool.refusal for pool in store.pools(PoolQuery())}
        refusals = {name: stored[pair] for name, pair in pairs.items()}
        return {name: refusal and refusal.reason.value for name, refusal in refusals.items()}

    assert reasons() == {
        "empty": "dust_pool",
        "little": "dust_pool",
        "strange": "no_hub_token",
        "unusable": "token_unusable",
        "endless": "token_unusable",
    }
    refused = {"dust_pool": 2, "no_hub_token": 1, "token_unusable": 2}
    assert found["uniswap_v2"] == tally(8, 3, **refused)
    # one of them is filled as pairs are, the other is only given a token
    fill(devnet, pairs["empty"], DAI=1_000 * 10**18, USDC=1_000 * 10**6)
    must_send(backend, owner, pairs["empty"], encode_call("sync()"))
    fill(devnet, pairs["little"], WETH=1)
    again = await discover(url, store, ("uniswap_v2",), again=True)
    assert again["uniswap_v2"] == Tally()
    assert again["again"] == tally(3, 1, no_hub_token=1, zero_liquidity=1)
    assert (reasons()["empty"], reasons()["little"]) == (None, "zero_liquidity")


async def test_a_judges_reason_is_kept_with_the_pool(devnet: Devnet, tmp_path: Path) -> None:
    store, seen = opened(tmp_path / "pools.db"), []

    def judge(pool: Pool) -> Refusal | None:
        seen.append(pool)
        return Refusal(Reason.ZERO_LIQUIDITY, "not to be believed") if pool.family == "weighted" else None

    found = await discover(devnet.anvil.http_url, store, is_refused=judge)
    assert found["balancer_v2"] == tally(1, 0, zero_liquidity=1)
    # a whole state, of kept pools and of no other
    assert len(seen) == 8
    weth = TOKENS["WETH"].address
    assert all(pool.marginal_rate(weth, next(iter({*pool.tokens} - {weth}))) > 0 for pool in seen)


# --- registries

REGISTRY = (
    "5f3560e01c"  # the selector
    "8063956aae3a14602057"  # pool_count()
    "80633a1d5d8e14602957"  # pool_list(uint256)
    "5f5f5260205ff3"  # anything else is nought
    "5b60015f5260205ff3"  # one pool
    "5b73{pool}5f5260205ff3"
)
"""Stands in for Curve's registry, whose bytecode is not published."""


async def test_a_registrys_pools_are_found_and_found_once(devnet: Devnet, tmp_path: Path) -> None:
    backend, owner = devnet.backend, devnet.world.accounts["deployer"].address
    coins = [TOKENS[symbol].address for symbol in ("DAI", "USDC")]
    terms = encode_arguments("uint8,address[],uint256[],uint256", 1, coins, [10**18, 10**30], 20_000)
    pool = backend.deploy(owner, load_artifact("CurveStablePool").bytecode + terms)
    must_send(backend, owner, pool, encode_call("set_fees(uint256,uint256,uint256)", 4_000_000, 0, 0))
    fill(devnet, pool, DAI=2_000 * 10**18, USDC=1_000 * 10**6)
    (registry, *_) = ETHEREUM.curve_factories
    backend.set_code(registry.address, bytes.fromhex(REGISTRY.format(pool=pool[2:])))
    backend.send(owner, owner)
    store, seen = opened(tmp_path / "pools.db"), []

    def judge(state: Pool) -> None:
        seen.append(state)

    found = await discover(devnet.anvil.http_url, store, ("curve_factory",), is_refused=judge)
    assert found["curve_factory"] == Tally(1, 1)
    (stored,) = store.pools(PoolQuery())
    assert (stored.spec.family, list(stored.spec.tokens)) == ("curve_stable", coins)
    assert (stored.spec.variant, stored.spec.fee, stored.place) == ("template", 400, 0)
    assert isinstance(seen[0], CurveStablePool)
    assert (await discover(devnet.anvil.http_url, store, ("curve_factory",)))["curve_factory"] == Tally()


# --- nodes


async def test_a_deployment_is_found_by_halving(devnet: Devnet) -> None:
    async with Provider(devnet.anvil.http_url) as node, NoArchive(devnet.anvil.http_url) as young:
        last = (await settled_block(node, 0)).number
        for address in (UNISWAP_V2_FACTORY, devnet.world.vault, devnet.world.pools[-2].address):
            codes = await node.batch([("eth_getCode", [address, hex(number)]) for number in range(last + 1)])
            first = next(number for number, code in enumerate(codes) if code != "0x")
            assert await deployment_block(node, address, last) == first
            refusal = await deployment_block(young, address, last)
            assert isinstance(refusal, Refusal)
            assert refusal.reason is Reason.DEPLOYMENT_UNKNOWN
            assert "missing trie node" in refusal.detail


async def test_what_is_not_there_is_skipped_with_a_reason(devnet: Devnet, tmp_path: Path) -> None:
    names = ("pancakeswap_v3", "curve_crypto_factory")
    found = await discover(devnet.anvil.http_url, opened(tmp_path / "pools.db"), names)
    reasons = [refusal.reason for refusal in found.values() if isinstance(refusal, Refusal)]
    assert reasons == [Reason.NO_CONTRACT, Reason.FAMILY_NOT_SUPPORTED]


async def test_another_chain_behind_the_address_stops_the_discovery(devnet: Devnet, tmp_path: Path) -> None:
    backend, url, name = devnet.backend, devnet.anvil.http_url, ("uniswap_v2",)
    trader, other = (devnet.world.accounts[f"trader-{index}"].address for index in (0, 1))
    store = opened(tmp_path / "pools.db")
    mark = backend.snapshot()
    backend.send(trader, other)
    await discover(url, store, name)
    before = contents(store)
    backend.revert(mark)
    with pytest.raises(InputError, match="is not the one"):  # shorter than what was read
        await discover(url, store, name)
    backend.send(other, trader)
    with pytest.raises(InputError, match="is another one than was read"):
        await discover(url, store, name)
    assert contents(store) == before


async def test_a_node_of_another_chain_and_a_chain_too_short_are_refused(devnet: Devnet) -> None:
    async with Provider(devnet.anvil.http_url) as node:
        await check_chain_id(node, ETHEREUM)
        with pytest.raises(InputError, match="the node is of chain 1, Base is 8453"):
            await check_chain_id(node, load_network("base"))
        head = await settled_block(node, 0)
        assert (await settled_block(node, 3)).number == head.number - 3
        with pytest.raises(InputError, match="ends at block"):
            await settled_block(node, head.number + 1)
