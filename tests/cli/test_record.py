"""``omniarb record`` as a process on a real node: stopped, killed, resumed, and refused."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chain.devnet.anvil import Anvil
from chain.devnet.backend import AnvilBackend
from chain.devnet.flow import swap_v3
from chain.devnet.world import World, build_world
from market.tape import TapeReader
from tests.cli.stage import in_a_process, omniarb, refused
from tests.pyrevm_node import specs_of, tokens_of

HOUR = 3_600
"""Between two blocks: so every block is a part of its own."""


@dataclasses.dataclass
class Node:
    """A node with a world on it, whose blocks are an hour apart."""

    anvil: Anvil
    backend: AnvilBackend
    world: World
    swaps: int = 0

    def mine(self, blocks: int) -> None:
        pool = self.world.pool("uniswap_v3", "WETH", "USDC", 500)
        for _ in range(blocks):
            self.swaps += 1
            call = swap_v3(self.world.flow_trader, pool.address, True, 10**9 + self.swaps)
            assert self.backend.send(self.world.accounts["trader-0"].address, call.to, call.data).ok

    def pools(self) -> dict[str, Any]:
        return {
            "specs": [dataclasses.asdict(spec) for spec in specs_of(self.world)],
            "tokens": [dataclasses.asdict(token) for token in tokens_of(self.world).values()],
        }


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    anvil = Anvil()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anvil.launch())
    loop.close()
    try:
        with AnvilBackend(anvil.http_url) as backend:
            world = build_world(backend)
            backend.request("anvil_setBlockTimestampInterval", HOUR)
            yield Node(anvil, backend, world)
    finally:
        anvil.stop()


@pytest.fixture
def arguments(node: Node) -> list[str]:
    Path("pools.json").write_text(json.dumps(node.pools()))
    return ["record", "--rpc", node.anvil.ws_url, "--pools", "pools.json", "--out", "tape"]


def eventually(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def parts() -> int:
    return len(list(Path("tape.partial/blocks").rglob("*.parquet")))


def test_a_node_is_recorded_and_the_tape_replays(node: Node, arguments: list[str]) -> None:
    with in_a_process(*arguments, "--blocks", "30", "--confirmations", "2", "--json") as process:
        eventually(Path("tape.partial/manifest.json").exists, process)
        node.mine(32)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == ""
    result = json.loads(out)
    assert (result["blocks"], result["resumed"], result["unconfirmed"]) == (30, 0, 0)
    assert len(result["days"]) >= 2
    assert result["last_block"] - result["first_block"] == 29
    counts = json.loads(omniarb("replay", "--tape", "tape", "--json").stdout)
    assert counts["blocks"] == counts["swaps"] == counts["invariant_ok"] == 30
    assert "tape exists" in refused(*arguments)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_stopped_is_a_whole_tape(
    node: Node, arguments: list[str], kind: signal.Signals
) -> None:
    arguments[2] = node.anvil.http_url
    with in_a_process(*arguments, "--confirmations", "1") as process:
        eventually(Path("tape.partial/manifest.json").exists, process)
        node.mine(4)
        eventually(lambda: parts() >= 2, process)
        process.send_signal(kind)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    recorded = TapeReader("tape").recorded()
    assert len(list(recorded.blocks())) == recorded.block_count == 4
    assert out.startswith("recorded blocks ")
    assert out.endswith("to tape\n")


def test_a_recording_that_is_killed_goes_on_and_loses_nothing(node: Node, arguments: list[str]) -> None:
    arguments += ["--blocks", "12", "--confirmations", "1"]
    with in_a_process(*arguments) as process:
        eventually(Path("tape.partial/manifest.json").exists, process)
        node.mine(6)
        eventually(lambda: parts() >= 4, process)
        os.kill(process.pid, signal.SIGKILL)
    kept = TapeReader("tape.partial").recorded().block_count
    assert kept >= 3
    assert "an unfinished one is in tape.partial" in refused("replay", "--tape", "tape")
    node.mine(7)  # nobody listens
    with in_a_process(*arguments, "--json") as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    result = json.loads(out)
    assert (result["blocks"], result["resumed"]) == (12, kept)
    blocks = [block for block, _ in TapeReader("tape").recorded().blocks()]
    chain = [
        node.backend.request("eth_getBlockByNumber", hex(block.number), False)["hash"] for block in blocks
    ]
    assert ["0x" + block.header.hash.hex() for block in blocks] == chain
    assert all(len(block.logs) == 1 for block in blocks)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("--rpc", "127.0.0.1:8545"), "--rpc takes one"),
        (("--chain", "base"), "the node is of chain 1, Base is 8453"),
        (("--rpc", "ws://127.0.0.1:99999999"), "--rpc is no address of a node"),
        (("--rpc", "ws://[::1"), "--rpc is no address of a node"),
        (("--rpc", "http://"), "--rpc is no address of a node"),
        (("--chain", "atlantis"), "there is no chain 'atlantis'"),
        (("--pools", "nowhere.json"), "nowhere.json"),
        (("--until-time", "tomorrow"), "'tomorrow' is no time"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    arguments: list[str], change: tuple[str, str], named: str
) -> None:
    if change[0] in arguments:
        arguments[arguments.index(change[0]) + 1] = change[1]
    else:
        arguments += change
    assert named in refused(*arguments)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda pools: pools.pop("specs"), "lists no pools"),
        (lambda pools: pools["specs"].append(pools["specs"][0]), "lists a pool twice"),
        (lambda pools: pools["specs"][1].pop("fee"), "a pool at place 1 that is none"),
        (lambda pools: pools["specs"].append(5), "that is none"),
        (lambda pools: pools["specs"][0].update(fee=float("inf")), "that is none"),
        (
            lambda pools: pools["specs"][0].update(tick_spacing=-10),
            "place 0 with a name that is no text or a",
        ),
        (lambda pools: pools["specs"][0].update(venue=7), "place 0 with a name that is no text or a"),
        (lambda pools: pools["specs"][0].update(family=["x"]), "place 0 with a name that is no text or a"),
        (lambda pools: pools["tokens"].pop(), "does not describe token"),
        (lambda pools: pools.pop("tokens"), "needs `tokens`"),
        (lambda pools: pools["tokens"][0].update(decimals="18"), "decimals that are none"),
        (lambda pools: pools["tokens"][0].update(address="0x12"), "where an address should be"),
    ],
)
def test_a_file_that_lists_no_pools_is_refused(
    node: Node, arguments: list[str], change: Callable[[dict[str, Any]], object], named: str
) -> None:
    pools = node.pools()
    change(pools)
    Path("pools.json").write_text(json.dumps(pools))
    line = refused(*arguments)
    assert named in line
    assert "pools.json" in line
    Path("pools.json").write_text("[")
    assert "is no JSON" in refused(*arguments)
    Path("pools.json").write_text("[" * 200_000)
    assert "is nested too deep" in refused(*arguments)


@contextmanager
def answering(answer: bytes | None) -> Iterator[tuple[str, threading.Event]]:
    """Run a node of this chain, or one of Ethereum that is silent after that; yield its address and when."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chain_id = b'"0x1"' if answer is None else answer
            if request["method"] != "eth_chainId":
                asked.set()
                ended.wait(30)
            body = b'{"jsonrpc": "2.0", "id": %d, "result": %s}' % (request["id"], chain_id)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    asked, ended = threading.Event(), threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            ended.set()
            server.shutdown()


@pytest.mark.parametrize("answer", [b"null", b"1", b'"zz"'])
def test_a_node_that_does_not_say_its_chain_is_one_line(arguments: list[str], answer: bytes) -> None:
    with answering(answer) as (url, _):
        arguments[2] = url
        assert "does not say its chain id" in refused(*arguments, code=1)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_the_pools_are_read_ends_the_command(arguments: list[str], kind: signal.Signals) -> None:
    with answering(None) as (url, asked):
        arguments[2] = url
        with in_a_process(*arguments) as process:
            assert asked.wait(30)
            process.send_signal(kind)
            _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "nothing was recorded" in said
    assert "Traceback" not in said
    assert not Path("tape.partial").exists()


def test_a_node_that_is_not_there_is_named_and_other_fields_of_the_file_do_not_matter(node: Node) -> None:
    Path("devnet.json").write_text(json.dumps({"http_url": "http://127.0.0.1:1", **node.pools()}))
    nowhere = ("--rpc", "http://127.0.0.1:1", "--out", "tape")
    assert "cannot reach the node" in refused("record", *nowhere, "--pools", "devnet.json", code=1)
