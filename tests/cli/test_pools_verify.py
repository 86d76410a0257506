"""``omniarb pools verify`` on a node with real contracts: what is right and what differs."""

from __future__ import annotations

import json
import socket
from typing import Any

from structlog.testing import capture_logs
from typer.testing import Result

from tests.cli.stage import omniarb, plain, refused
from tests.cli.test_pools import discover, shown
from tests.devnet_fixtures import Devnet
from tests.token_bench import Bench, clean, fee_token, honeypot

RESERVES_SLOT = 8


def verify(devnet: Devnet, *more: str) -> Result:
    return omniarb(
        "pools", "verify", "--chain", "ethereum", "--rpc", devnet.anvil.http_url, "--db", "pools.db", *more
    )


def verified(devnet: Devnet, *more: str) -> dict[str, Any]:
    result = verify(devnet, "--json", *more)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_every_pool_that_was_kept_is_found_right_and_recorded(devnet: Devnet) -> None:
    discover(devnet)
    kept = shown("--status", "quarantined")["count"]
    document = verified(devnet)
    assert document["lives"] == {"live": kept}
    assert document["head_block"] - document["first_block"] == 16
    assert shown("--status", "verified")["count"] == kept
    said = plain(verify(devnet).stdout)
    assert "compared with the chain" in said
    assert "Not traded" not in said


def test_a_pool_whose_storage_moved_without_a_log_is_named_and_the_exit_code_tells(devnet: Devnet) -> None:
    discover(devnet)
    pool = next(spec for spec in devnet.world.pools if spec.family == "uniswap_v2")
    packed = devnet.backend.get_storage(pool.address, RESERVES_SLOT)
    for _ in range(2):
        devnet.backend.request("evm_mine")
    word = "0x" + (packed + 1).to_bytes(32, "big").hex()
    devnet.backend.request("anvil_setStorageAt", pool.address, hex(RESERVES_SLOT), word)
    devnet.backend.request("evm_mine")
    with capture_logs() as logged:
        result = verify(devnet, "--json", "--depth", "2")
    assert result.exit_code == 1
    assert [line["event"] for line in logged] == ["pool suspended"]
    row = json.loads(result.stdout)["pools"][pool.pool_id]
    assert (row["life"], row["reason"]) == ("divergent", "changed_without_event")
    assert "reserve0 is" in row["detail"]
    said = plain(verify(devnet, pool.pool_id, "--depth", "2").stdout)
    assert "changed_without_event" in said
    (stored,) = shown(pool.pool_id)["pools"]
    assert (stored["status"], stored["reason"]) == ("quarantined", "changed_without_event")


def test_what_cannot_be_verified_is_told_in_one_line(devnet: Devnet) -> None:
    near = ("pools", "verify", "--chain", "ethereum", "--rpc", devnet.anvil.http_url, "--db", "pools.db")
    assert "run `omniarb pools discover`" in refused(*near)
    discover(devnet, "--factory", "uniswap_v2")
    assert "has no pool 0xnobody" in refused(*near, "0xnobody")
    other = ("pools", "verify", "--chain", "base", "--rpc", devnet.anvil.http_url, "--db", "pools.db")
    assert "worth verifying of base; run" in refused(*other)
    assert "--rpc is no HTTP address" in refused(*near, "--rpc", "nonsense")


def test_a_pool_of_a_token_that_misbehaves_is_not_traded(devnet: Devnet) -> None:
    bench = Bench(devnet.backend, devnet.world)
    trapped, taxed, good = honeypot(bench, "reverts"), fee_token(bench, 10_000, 10_000, 10_000), clean(bench)
    discover(devnet, "--factory", "uniswap_v2")
    document = verified(devnet, "--depth", "1")
    assert document["pools"][trapped.pool.pool_id]["reason"] == "honeypot"
    assert document["pools"][taxed.pool.pool_id]["reason"] == "fee_on_transfer"
    assert document["pools"][good.pool.pool_id]["life"] == "live"
    assert document["tokens"] == {
        "tried": 3,
        "refused": {"fee_on_transfer": 1, "honeypot": 1},
        "untold": {},
    }
    assert "3 2 misbehave" in plain(verify(devnet, "--depth", "1").stdout)


def test_a_pool_that_was_refused_stays_refused(devnet: Devnet) -> None:
    discover(devnet)
    before = shown("--status", "refused")["pools"]
    line = verify(devnet, before[0]["pool_id"])
    assert line.exit_code == 2
    assert "was refused (pool_address_mismatch" in line.stderr
    assert verify(devnet, "0x", "--depth", "1").exit_code == 0
    assert [pool["reason"] for pool in shown("--status", "refused")["pools"]] == [
        "pool_address_mismatch"
    ] * len(before)


def test_a_second_node_stands_in_for_one_that_is_dead(devnet: Devnet) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        both = ("--rpc", dead, "--rpc", devnet.anvil.http_url, "--chain", "ethereum", "--db", "pools.db")
        found = omniarb(
            "pools", "discover", "--factory", "uniswap_v3", "--confirmations", "0", "--json", *both
        )
        assert found.exit_code == 0, found.output
        checked = omniarb("pools", "verify", "--json", *both)
        assert checked.exit_code == 0, checked.output
        assert json.loads(checked.stdout)["lives"] == {"live": 4}
        nobody = omniarb(
            "pools", "verify", "--chain", "ethereum", "--db", "pools.db", "--rpc", dead, "--rpc", dead
        )
    assert nobody.exit_code == 1
    assert nobody.stderr.count("\n") == 1
