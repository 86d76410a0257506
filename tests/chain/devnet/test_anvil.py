"""The node is ours alone: it dies with us, keeps its port, and comes back with its chain."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from chain.devnet import anvil as anvil_module
from chain.devnet.anvil import Anvil
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import AnvilBackend
from chain.devnet.calldata import encode_call
from chain.devnet.rules import BLOCK_TIME, GENESIS_TIME
from core.errors import ContractError, DevnetError

SENDER = "0x" + "5e" * 20
LOGGER = "0x" + "10" * 20
LOGS_AND_STORES_THE_HEIGHT = bytes.fromhex("436000555f5fa000")


def write_a_block(url: str) -> int:
    with AnvilBackend(url) as backend:
        backend.set_balance(SENDER, 10**18)
        backend.set_code(LOGGER, LOGS_AND_STORES_THE_HEIGHT)
        return backend.send(SENDER, LOGGER).block_number


def ask(url: str, method: str, *params: object):
    with AnvilBackend(url) as backend:
        return backend.request(method, *params)


async def test_a_fresh_node_is_pinned():
    async with Anvil.start() as anvil:
        genesis = await asyncio.to_thread(ask, anvil.http_url, "eth_getBlockByNumber", "latest", False)
        assert (int(genesis["number"], 16), int(genesis["timestamp"], 16)) == (0, GENESIS_TIME)
        assert await asyncio.to_thread(ask, anvil.http_url, "eth_chainId") == "0x1"
        assert await asyncio.to_thread(ask, anvil.http_url, "eth_accounts") == []
        assert await asyncio.to_thread(write_a_block, anvil.http_url) == 1
        head = await asyncio.to_thread(ask, anvil.http_url, "eth_getBlockByNumber", "latest", False)
        assert int(head["timestamp"], 16) == GENESIS_TIME + BLOCK_TIME
        pid = anvil.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_node_comes_back_on_its_port_with_blocks_logs_and_state(tmp_path):
    async with Anvil.start(state=tmp_path / "chain.json") as anvil:
        for _ in range(3):
            await asyncio.to_thread(write_a_block, anvil.http_url)
        blocks = [await _block(anvil, height) for height in range(4)]
        await anvil.save()
        url, pid = anvil.http_url, anvil.pid
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(_wait_until_dead, anvil)
        with pytest.raises(DevnetError, match="does not answer"):
            await asyncio.to_thread(ask, url, "eth_blockNumber")
        await anvil.launch()
        assert (anvil.http_url, anvil.pid != pid) == (url, True)
        assert [await _block(anvil, height) for height in range(4)] == blocks
        logs = await asyncio.to_thread(ask, url, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x3"})
        assert [int(log["blockNumber"], 16) for log in logs] == [1, 2, 3]
        assert int(await asyncio.to_thread(ask, url, "eth_getStorageAt", LOGGER, "0x0", "latest"), 16) == 3
        assert await asyncio.to_thread(write_a_block, url) == 4
        child = await _block(anvil, 4)
        assert child["parentHash"] == blocks[3]["hash"]
        assert int(child["timestamp"], 16) == GENESIS_TIME + 4 * BLOCK_TIME


async def _block(anvil: Anvil, height: int):
    return await asyncio.to_thread(ask, anvil.http_url, "eth_getBlockByNumber", hex(height), False)


def _wait_until_dead(anvil: Anvil) -> None:
    while anvil.alive:
        time.sleep(0.005)


def test_the_node_dies_with_its_parent():
    script = """
import asyncio, os, signal
from chain.devnet.anvil import Anvil
async def main():
    anvil = Anvil()
    await anvil.launch()
    print(anvil.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_taken_port_is_an_error_not_a_foreign_node():
    async with Anvil.start() as first:
        port = int(first.http_url.rsplit(":", 1)[1])
        with pytest.raises(DevnetError, match="stopped at start"):
            async with Anvil.start(port=port):
                pass


async def test_a_running_node_is_not_launched_twice_and_a_dead_one_has_no_pid():
    async with Anvil.start() as anvil:
        with pytest.raises(DevnetError, match="runs already"):
            await anvil.launch()
        with pytest.raises(DevnetError, match="no state file"):
            await anvil.save()
    with pytest.raises(DevnetError, match="does not run"):
        _ = anvil.pid


async def test_a_missing_binary_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(anvil_module, "BINARY", tmp_path / "anvil")
    with pytest.raises(DevnetError, match="make setup"):
        await Anvil().launch()


def test_a_missing_or_broken_artifact_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("chain.devnet.artifacts.CONTRACTS", tmp_path)
    with pytest.raises(ContractError, match="make setup"):
        load_artifact("NoSuchContract")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "Broken.json").write_text('{"abi": []}')
    with pytest.raises(ContractError, match="make setup"):
        load_artifact("Broken")


def test_a_snapshot_brings_back_height_time_and_base_fee(devnet):
    backend = devnet.backend

    def next_block():
        backend.request("evm_mine")
        head = backend.head()
        return head.number, head.timestamp, head.base_fee

    mark = backend.snapshot()
    first = next_block()
    for _ in range(3):
        next_block()
    backend.revert(mark)
    assert next_block() == first


def test_a_reverted_call_shows_its_data_on_both_backends(devnet, pyrevm_world):
    world = devnet.world
    outputs = []
    for backend in (devnet.backend, pyrevm_world[0]):
        with pytest.raises(DevnetError) as caught:
            backend.call(world.tokens["DAI"].address, encode_call("mint(address,uint256)", SENDER, 1))
        outputs.append(caught.value.fields["output"])
    assert outputs[0] == outputs[1] == "0x" + encode_call("NotOwner(address)", "0x" + "ca11" * 10).hex()


def test_contracts_are_created_at_the_same_addresses_on_both_backends(devnet, pyrevm_world):
    sender = devnet.world.accounts["searcher"].address
    code = load_artifact("FlowTrader").bytecode
    created = [
        [backend.deploy(sender, code), backend.send(sender, SENDER, b"", 1).ok, backend.deploy(sender, code)]
        for backend in (devnet.backend, pyrevm_world[0])
    ]
    assert created[0] == created[1]


def test_a_constructor_that_reverts_is_an_error_on_both_backends(devnet, pyrevm_world):
    for backend in (devnet.backend, pyrevm_world[0]):
        with pytest.raises(DevnetError, match="constructor reverted"):
            backend.deploy(devnet.world.accounts["searcher"].address, bytes.fromhex("5f5ffd"))


def test_a_transaction_that_nobody_can_pay_is_refused_on_both_backends(devnet, pyrevm_world):
    for backend in (devnet.backend, pyrevm_world[0]):
        with pytest.raises(DevnetError, match="refused"):
            backend.send(SENDER, LOGGER, b"", 10**30)
