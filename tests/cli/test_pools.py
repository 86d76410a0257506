"""``omniarb pools`` on a node with real factories, and what it says to wrong input."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import Result

from chain.devnet.protocols import TOKENS
from core import database
from pipeline.pool_list import read_pool_list
from tests.cli.stage import omniarb, plain, refused
from tests.devnet_fixtures import Devnet

WETH_USDC_V2 = "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
WETH_USDC_V3 = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
"""Where they are on Ethereum, too."""


def discover(devnet: Devnet, *more: str) -> Result:
    near = ("--chain", "ethereum", "--rpc", devnet.anvil.http_url, "--confirmations", "0", "--db", "pools.db")
    result = omniarb("pools", "discover", *near, *more)
    assert result.exit_code == 0, result.output
    return result


def shown(*more: str) -> dict[str, Any]:
    result = omniarb("pools", "show", "--db", "pools.db", "--json", *more)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_pools_are_found_shown_and_a_second_time_not_found_again(devnet: Devnet) -> None:
    said = plain(discover(devnet).stdout)
    assert "uniswap_v3: blocks" in said
    assert "/s" in said
    assert "ETA" in said
    assert "pool_address_mismatch 2" in said
    assert "no_contract" in said
    document = json.loads(discover(devnet, "--json").stdout)
    assert document["chain_id"] == 1
    assert all(row["found"] == 0 for row in document["factories"].values())
    assert document["factories"]["pancakeswap_v3"]["note"]["reason"] == "no_contract"
    assert document["factories"]["curve_crypto_factory"]["note"]["reason"] == "family_not_supported"
    everything = shown()
    assert everything["count"] == len(everything["pools"]) == len(devnet.world.pools)
    refusals = [pool["reason"] for pool in everything["pools"] if pool["status"] == "refused"]
    assert refusals == ["pool_address_mismatch"] * 2


def test_one_factory_is_discovered_as_json_and_its_pools_can_be_followed(devnet: Devnet) -> None:
    document = json.loads(discover(devnet, "--factory", "uniswap_v3", "--json").stdout)
    head = devnet.backend.head().number
    (row,) = document["factories"].values()
    assert (row["found"], row["kept"], row["refused"], row["note"]) == (4, 4, {}, None)
    assert row["read"][1] == document["settled_block"] == head
    # what is shown is a list of pools as other commands take them
    Path("kept.json").write_text(json.dumps(shown("--status", "quarantined")))
    listed = read_pool_list(Path("kept.json"))
    made = {pool.pool_id: pool for pool in devnet.world.pools if pool.venue == "uniswap_v3"}
    assert {spec.pool_id: (spec.tokens, spec.fee, spec.tick_spacing) for spec in listed.specs} == {
        pool_id: (pool.tokens, pool.fee, pool.tick_spacing) for pool_id, pool in made.items()
    }
    assert {token.symbol for token in listed.tokens.values()} == set(TOKENS)


def test_pools_are_narrowed_and_one_is_shown_in_full(devnet: Devnet) -> None:
    discover(devnet)
    assert shown("--token", "wbtc", "--status", "quarantined")["count"] == 2
    assert shown("--token", TOKENS["DAI"].address, "--family", "weighted")["count"] == 1
    assert shown("--chain", "base")["count"] == 0
    few = shown("--limit", "1")
    assert (few["count"], len(few["pools"]), len(few["specs"])) == (10, 1, 1)
    table = plain(omniarb("pools", "show", "--db", "pools.db", "--token", "WETH").stdout)
    assert "USDC/WETH" in table
    assert "10 of 10 pools" in table
    full = plain(omniarb("pools", "show", WETH_USDC_V3[:8], "--db", "pools.db").stdout)
    for text in (WETH_USDC_V3, "0.05 %", "tick spacing 10", "quarantined", "USDC", "uniswap_v3"):
        assert text in full
    refused_pool = next(pool["pool_id"] for pool in shown("--status", "refused")["pools"])
    full = plain(omniarb("pools", "show", refused_pool, "--db", "pools.db").stdout)
    assert "pool_address_mismatch: the facts of sushiswap_v2 put this pool at" in full


def test_blocks_can_be_bounded_and_dust_is_what_one_says_it_is(devnet: Devnet) -> None:
    made = ("--factory", "uniswap_v2", "--json")
    row = json.loads(discover(devnet, "--from-block", "0", "--to-block", "12", *made).stdout)["factories"]
    assert row["uniswap_v2"]["read"] == [0, 12]
    limits = ("--least", "WETH=4000", "--least", "USDC=1e9", "--least", "dai=1000000000.5")
    row = json.loads(discover(devnet, *limits, *made).stdout)["factories"]["uniswap_v2"]
    assert (row["found"], row["kept"], row["refused"]) == (3, 1, {"dust_pool": 2})
    assert [pool["pool_id"] for pool in shown("--status", "quarantined")["pools"]] == [WETH_USDC_V2]
    again = json.loads(discover(devnet, "--again", *made).stdout)["again"]
    assert again == {"found": 2, "kept": 2, "refused": {}}
    assert shown("--status", "quarantined")["count"] == 3


# --- wrong input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--chain", "etherium"), "did you mean 'ethereum'"),
        (("--factory", "uniswap"), "there are balancer_v2"),
        (("--least", "WETH"), "<token>=<amount>"),
        (("--least", "WETH=much"), "<token>=<amount>"),
        (("--least", "WETH=-1"), "<token>=<amount>"),
        (("--least", "WETH=1e999999"), "<token>=<amount>"),
        (("--least", "NOPE=1"), "no known token 'NOPE'"),
        (("--from-block", "9", "--to-block", "8"), "exchange them"),
        (("--rpc", "ftp://secret@host"), "no HTTP address"),
        (("--rpc", "secret-key"), "no HTTP address"),
        (("--config", "nowhere"), "nowhere"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(arguments: tuple[str, ...], said: str) -> None:
    line = refused("pools", "discover", *arguments)
    assert said in line
    assert "secret" not in line


def test_a_node_that_does_not_answer_is_one_line_without_its_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/?apikey=hunter3"
        line = refused("pools", "discover", "--chain", "base", "--rpc", url, "--db", "pools.db", code=1)
    assert "cannot reach the node" in line
    assert "hunter" not in line


def test_a_node_of_another_chain_is_one_line_and_leaves_no_file(devnet: Devnet) -> None:
    line = refused("pools", "discover", "--chain", "base", "--rpc", devnet.anvil.http_url, "--db", "pools.db")
    assert "the node is of chain 1, Base is 8453" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--chain", "nowhere"), "there is no chain"),
        (("--status", "lovely"), "there are refused, quarantined, verified"),
        ((), "run `omniarb pools discover`"),
    ],
)
def test_show_says_what_is_wrong_or_missing(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("pools", "show", "--db", "pools.db", *arguments)


def test_a_pool_that_is_not_there_is_one_line(devnet: Devnet) -> None:
    discover(devnet, "--factory", "uniswap_v3")
    result = omniarb("pools", "show", "0x1234", "--db", "pools.db")
    assert result.exit_code == 2
    assert "there is no pool '0x1234'" in result.stderr


def test_a_file_that_is_no_store_and_one_that_is_in_use_are_one_line(
    devnet: Devnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("letter.db").write_text("dear friend, " * 100)
    line = refused("pools", "show", "--db", "letter.db")
    assert "file is not a database" in line
    quick = [each.replace("5000", "20") for each in database._SQLITE_PRAGMAS]
    monkeypatch.setattr(database, "_SQLITE_PRAGMAS", quick)
    discover(devnet, "--factory", "uniswap_v3")
    holder = sqlite3.connect("pools.db")
    holder.execute("BEGIN IMMEDIATE")
    near = ("--chain", "ethereum", "--rpc", devnet.anvil.http_url, "--confirmations", "0", "--db", "pools.db")
    result = omniarb("pools", "discover", *near, "--factory", "uniswap_v2")
    holder.close()
    assert result.exit_code == 2
    assert "database is locked" in result.stderr
    assert "Traceback" not in result.output
    assert discover(devnet, "--factory", "uniswap_v2").exit_code == 0


def test_help_shows_examples_with_options_that_there_are() -> None:
    for command in ("discover", "show"):
        text = plain(omniarb("pools", command, "--help").output)
        example = text[text.index("Example: ") :]
        options = {word for word in example.split() if word.startswith("--")}
        assert options
        assert all(option in text[: text.index("Example: ")] for option in options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "--limit", "9" * 23),
        ("discover", "--from-block", str(2**63)),
        ("discover", "--to-block", str(2**63)),
        ("discover", "--confirmations", str(2**63)),
    ],
)
def test_a_number_that_nothing_can_hold_is_refused(arguments: tuple[str, ...]) -> None:
    result = omniarb("pools", *arguments)
    assert result.exit_code == 2
    assert "should be less than or equal to" in plain(result.stderr)


@pytest.mark.parametrize("name", ["g?x=1.db", "g#%41.db", "[red]b.db"])
def test_the_store_is_the_file_that_was_named(devnet: Devnet, name: str) -> None:
    result = omniarb(
        "pools", "discover", "--chain", "ethereum", "--rpc", devnet.anvil.http_url, "--factory", "uniswap_v3",
        "--confirmations", "0", "--db", name,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"{quote(name)}; `omniarb pools show` lists them" in result.stdout
    made = {path.name for path in Path.cwd().iterdir()} - {"runs", f"{name}-wal", f"{name}-shm"}
    assert made == {name}
    document = json.loads(omniarb("pools", "show", "--db", name, "--json").stdout)
    assert document["count"] == 4


def test_a_port_that_is_none_is_refused() -> None:
    line = refused("pools", "discover", "--chain", "base", "--rpc", "http://secret:99999999", "--db", "x.db")
    assert "--rpc is no address of a node" in line
    assert "secret" not in line
